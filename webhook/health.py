"""/healthz: this process answers. /readyz: database, schema and broker, each told apart."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, Response, current_app, jsonify
from sqlalchemy.exc import SQLAlchemyError

from shared.errors import SchemaError
from shared.models import SCHEMA
from shared.queue import queue_length
from webhook.description import Answer, Call, described
from webhook.receive import Door
from webhook.schemas import one_of, ref, shape

blueprint = Blueprint("health", __name__)


@blueprint.get("/healthz")
@described(
    Call(
        summary="Does this process answer?",
        who="anyone",
        answers={200: Answer("It does.", shape({"status": one_of(("ok",))}))},
    )
)
def healthz() -> Response:
    """{"status": "ok"}: touches nothing, so it is always quick."""
    return jsonify({"status": "ok"})


@blueprint.get("/readyz")
@described(
    Call(
        summary="Which of database, schema and broker is missing?",
        detail="A broker that is down is told (degraded), and deliveries are taken without it.",
        who="anyone",
        answers={
            200: Answer("Deliveries can be stored.", ref("Readiness")),
            503: Answer("Deliveries cannot be stored.", ref("Readiness")),
        },
    )
)
def readyz() -> Response:
    """{"status", "database", "schema", "broker"}: 503 when deliveries cannot be stored.

    A broker that is down is told ("degraded") but stays 200: the receiver takes deliveries without it, and a load
    balancer that believed otherwise would lose them (docs/decisions/0006).
    """
    door: Door = current_app.extensions["door"]
    report: dict[str, Any] = {"database": "ok", "schema": "ok", "broker": "ok"}
    try:
        SCHEMA.check(door.engine, remedy="python -m webhook db upgrade")
    except SchemaError as problem:
        report["schema"] = str(problem)
    except SQLAlchemyError as problem:
        report["database"], report["schema"] = type(problem).__name__, "unknown"
    report["broker"] = _broker(door)
    is_storing = report["database"] == report["schema"] == "ok"
    report["status"] = "unavailable" if not is_storing else "ok" if report["broker"] == "ok" else "degraded"
    response = jsonify(report)
    response.status_code = 200 if is_storing else 503
    return response


def _broker(door: Door) -> str:
    if door.settings.broker_url is None:
        return "not configured"
    try:
        queue_length(door.knocker.app)
    except Exception as problem:  # whatever the broker's client raises
        return f"down ({type(problem).__name__})"
    return "ok"

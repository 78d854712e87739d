"""/healthz: this process answers. /readyz: database, schema, broker and rules file, each told apart."""

from __future__ import annotations

import threading
import time
from datetime import UTC, datetime

from flask import Blueprint, Response, current_app, jsonify
from sqlalchemy.engine import Engine
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from shared.broker import Notifier, check_broker
from shared.config.changed_files import ChangedFiles
from shared.errors import SchemaError
from shared.infra.fault_words import plain_words
from shared.infra.patience import waiting_at_most
from shared.ledger import store_probe
from shared.ledger.tables import SCHEMA
from webhook.intake.store_health import StoreHealth
from webhook.openapi.operation import Answer, Call, described
from webhook.openapi.schema_helpers import one_of, ref, shape

PROBE_SECONDS = 5.0

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
    """{"status", "database", "schema", "broker", "config"}: 503 when deliveries cannot be stored.

    A broker that is down is told ("degraded") but stays 200: the receiver takes deliveries without it, and a load
    balancer that believed otherwise would lose them (docs/decisions/0006).
    """
    readiness: Readiness = current_app.extensions["readiness"]
    files: ChangedFiles | None = current_app.extensions.get("config")
    report = {**readiness.look(), "config": files.state.word if files is not None else "ok"}
    response = jsonify(report)
    response.status_code = 503 if report["status"] == "unavailable" else 200
    return response


class Readiness:
    """Looks at what the receiver needs, one look at a time: a broker that hangs takes seconds, and anyone may ask."""

    def __init__(self, engine: Engine, notifier: Notifier, broker_url: str | None, health: StoreHealth | None = None) -> None:
        self._engine = engine
        self._knocker = notifier
        self._broker_url = broker_url
        self._health = health or StoreHealth()
        self._looking = threading.Lock()
        self._last: dict[str, str] | None = None

    def look(self) -> dict[str, str]:
        """What is found now; while somebody is looking, what was found before."""
        last = self._last
        if not self._looking.acquire(blocking=last is None):
            assert last is not None  # noqa: S101
            return last
        try:
            self._last = self._look()
            return self._last
        finally:
            self._looking.release()

    def _look(self) -> dict[str, str]:
        report = {"database": "ok", "schema": "ok"}
        try:
            self._probe()
            SCHEMA.check(self._engine)
        except SchemaError as problem:
            report["schema"] = str(problem)
        except SQLAlchemyError as problem:
            report = {"database": plain_words(problem), "schema": "unknown"}
        if report["database"] == "ok" and self._health.is_failing():
            report["database"] = "the last deliveries could not be stored"
        is_storing = report["database"] == report["schema"] == "ok"
        broker = self._look_at_broker()
        status = "unavailable" if not is_storing else "ok" if broker == "ok" else "degraded"
        return {**report, "broker": broker, "status": status}

    def _probe(self) -> None:
        """Write, as a delivery would be stored: within five seconds, and twice, since a connection that rested may be dead.

        Raises SQLAlchemyError, and SchemaError where there is no table to write to.
        """
        give_up = time.monotonic() + PROBE_SECONDS
        if SCHEMA.current(self._engine) is None:
            SCHEMA.check(self._engine)
        try:
            self._write(PROBE_SECONDS / 2)
        except PoolTimeout:  # it has waited as long already
            raise
        except SQLAlchemyError:
            self._write(give_up - time.monotonic())

    def _write(self, seconds: float) -> None:
        with waiting_at_most(max(0.1, seconds)), self._engine.begin() as connection:
            store_probe.write(connection, datetime.now(UTC))

    def _look_at_broker(self) -> str:
        if self._broker_url is None:
            return "not configured"
        try:
            check_broker(self._knocker.app)
        except Exception as problem:  # whatever the broker's client raises
            return f"down ({plain_words(problem)})"
        return "ok"

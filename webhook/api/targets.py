"""/api/v1/targets and /api/v1/stats: how the targets fare, holding one, and the counts for an alarm."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from flask import Response, current_app, jsonify
from sqlalchemy.engine import Connection

from shared.errors import NotFound
from shared.infra import logs
from shared.infra.database import reading
from shared.ledger import target_states
from shared.ledger.queries import stats as counts
from webhook.api.request import NO_BODY, ONCE, WRONG, Json, act, blueprint, read_body, services
from webhook.openapi.operation import Answer, Call, Parameter, described
from webhook.openapi.schema_helpers import TEXT, ref, several, shape
from webhook.ops import serializers
from webhook.ops.stats_cache import KeptCounts
from webhook.ops.target_overview import all_targets, is_target, one_target

logger = logs.get(__name__)


@blueprint.get("/targets")
@described(
    Call(
        summary="List the targets, how each fares, and how many jobs wait for it",
        who="viewer",
        answers={200: Answer("All of them.", shape({"items": several(ref("Target"))}))},
    )
)
def list_targets() -> Response:
    with reading(services().engine).begin() as connection:
        return jsonify({"items": all_targets(connection, services().rules)})


def _setting(summary: str) -> Call:
    return Call(
        summary=summary,
        detail="202 also when it is so already.",
        who="operator",
        path=(Parameter("name", TEXT, "The target's name."),),
        headers=(ONCE,),
        body=NO_BODY,
        is_body_required=False,
        answers={202: Answer("The target as it stands now.", ref("Target"))},
        problems={
            400: WRONG,
            404: "There is no target of this name.",
            409: "The Idempotency-Key was used with another query or body.",
        },
    )


@blueprint.post("/targets/<name>/pause")
@described(_setting("Send a target nothing until it is resumed"))
def pause_target(name: str) -> tuple[Response, int]:
    return _set_target(name, target_states.pause, "paused")


@blueprint.post("/targets/<name>/resume")
@described(_setting("Send to a target again"))
def resume_target(name: str) -> tuple[Response, int]:
    return _set_target(name, target_states.resume, "resumed")


def _set_target(name: str, verb: Callable[..., None], done: str) -> tuple[Response, int]:
    read_body(())

    def do(connection: Connection, now: datetime) -> Json:
        if not is_target(connection, services().rules, name):
            raise NotFound(f"there is no target {name!r}")
        verb(connection, name, now=now)
        return one_target(connection, services().rules, name)

    answer = act(do)
    logger.info("ops.target_changed", target=name, change=done)
    return jsonify(answer), 202


@blueprint.get("/stats")
@described(
    Call(
        summary="Count jobs by state and deliveries by status",
        detail="A state without any is left out. Exact; where so much is stored that counting takes long, as of a few "
        "seconds ago. Alarm on the age of oldest_waiting_at, which is always of now.",
        who="viewer",
        answers={200: Answer("The counts.", ref("Stats"))},
    )
)
def stats() -> Response:
    with reading(services().engine).begin() as connection:
        kept: KeptCounts = current_app.extensions["kept_counts"]
        counted = kept.read(lambda: counts.count_by_status(connection))
        return jsonify({**counted, "oldest_waiting_at": serializers.moment(counts.oldest_waiting_at(connection))})

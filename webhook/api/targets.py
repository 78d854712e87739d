"""/api/v1/targets and /api/v1/stats: how the targets fare, holding one, and the counts for an alarm."""

from __future__ import annotations

from typing import Literal

from flask import Response, current_app, jsonify

from shared.forges.json_fields import Fields
from shared.infra.database import reading
from shared.ledger.queries.stats import count_by_status, oldest_waiting_at
from webhook.api.request import WRONG, acting, actor, blueprint, read_body, services
from webhook.openapi.operation import Answer, Call, Parameter, described
from webhook.openapi.schema_helpers import FLAG, TEXT, ref, several, shape, told
from webhook.ops import operations, serializers
from webhook.ops.stats_cache import KeptCounts
from webhook.ops.target_overview import all_targets


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
    return acting(
        summary,
        Answer("The target as it stands now.", ref("Target")),
        path=Parameter("name", TEXT, "The target's name."),
        missing="No target with this name.",
        detail="202 also when it is so already.",
        conflict="The Idempotency-Key was used with another query or body.",
    )


@blueprint.post("/targets/<name>/pause")
@described(_setting("Pause a target"))
def pause_target(name: str) -> tuple[Response, int]:
    return _set_target(name, "pause")


@blueprint.post("/targets/<name>/resume")
@described(_setting("Resume a target"))
def resume_target(name: str) -> tuple[Response, int]:
    return _set_target(name, "resume")


@blueprint.post("/targets/<name>/check")
@described(
    Call(
        summary="Ask a target what releases need of it",
        detail="Address, TLS, token, organization, the projects that rules name, scopes, and whether the target keeps "
        "releases, commits, deploys and repositories. Nothing is written there; with write, a release `tagship-check` with "
        "one commit and one deploy is made and deleted. It takes up to half a minute.",
        who="operator",
        path=(Parameter("name", TEXT, "The target's name."),),
        body=shape({"write": told(FLAG, "make and delete a test release")}, optional=("write",)),
        is_body_required=False,
        answers={200: Answer("One row for each check, also where some have failed.", ref("TargetCheck"))},
        problems={400: WRONG, 404: "No target with this name in the configuration."},
    )
)
def check_target(name: str) -> Response:
    writes = Fields(read_body(("write",)), "").flag("write") or False
    return jsonify(operations.check_target(services(), actor(), name, writes=writes))


def _set_target(name: str, change: Literal["pause", "resume"]) -> tuple[Response, int]:
    read_body(())
    return jsonify(operations.set_target(services(), actor(), name, change)), 202


@blueprint.get("/stats")
@described(
    Call(
        summary="Count jobs by state and deliveries by status",
        detail="Exact; where so much is stored that counting takes long, as of a few "
        "seconds ago. Alarm on the age of oldest_waiting_at, which is always of now.",
        who="viewer",
        answers={200: Answer("The counts.", ref("Stats"))},
    )
)
def stats() -> Response:
    with reading(services().engine).begin() as connection:
        kept: KeptCounts = current_app.extensions["kept_counts"]
        counted = kept.read(lambda: count_by_status(connection))
        return jsonify({**counted, "oldest_waiting_at": serializers.moment(oldest_waiting_at(connection))})

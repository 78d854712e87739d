"""/api/v1/config: which rules file each process has in force."""

from __future__ import annotations

from datetime import UTC, datetime

from flask import Response, jsonify

from shared.infra.database import reading
from webhook.api.request import blueprint, services
from webhook.openapi.operation import Answer, Call, described
from webhook.openapi.schema_helpers import ref
from webhook.ops.processes import config_status


@blueprint.get("/config")
@described(
    Call(
        summary="Which rules file has each process in force?",
        detail="A changed file is in force within 5 seconds. One with errors is refused, and the former stays.",
        who="viewer",
        answers={200: Answer("The processes seen in the last minute.", ref("ConfigStatus"))},
    )
)
def show_config() -> Response:
    with reading(services().engine).begin() as connection:
        return jsonify(config_status(connection, datetime.now(UTC)))

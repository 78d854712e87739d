"""/api/v1/search: everything that a version, tag, branch, commit, repository or id names."""

from __future__ import annotations

from flask import Response, jsonify

from shared.infra.database import reading
from webhook.api.request import WRONG, blueprint, services, words
from webhook.openapi.operation import Answer, Call, Parameter, described
from webhook.openapi.schema_helpers import ref
from webhook.ops import search

_Q = Parameter(
    "q",
    {"type": "string", "minLength": 1, "maxLength": search.LONGEST},
    "A version, tag, branch, commit of a pushed head (7 digits or more), repository, delivery id or job id, or its beginning.",
    is_required=True,
)


@blueprint.get("/search")
@described(
    Call(
        summary="Find jobs, deliveries and repositories by what you have at hand",
        detail=f"Exact names first, then those that begin so, at most {search.MOST}. A delivery with jobs is shown as them.",
        who="viewer",
        query=(_Q,),
        answers={200: Answer("What was found.", ref("Search"))},
        problems={400: WRONG},
    )
)
def find() -> Response:
    given = words(("q",))
    with reading(services().engine).begin() as connection:
        return jsonify(search.find(services(), connection, given.get("q", "")))

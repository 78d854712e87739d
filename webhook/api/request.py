"""Between Flask and the API's calls: reads query, body and who calls."""

from __future__ import annotations

import re
from typing import Any

from flask import Blueprint, current_app, g, request
from werkzeug.routing import Map, PathConverter, UnicodeConverter

from shared.domain import filters
from shared.errors import BadParameter
from shared.forges.json_fields import read_object
from shared.ledger import idempotency
from shared.ledger.queries.listings import SCAN
from webhook.openapi.operation import Answer, Call, Parameter
from webhook.openapi.schema_helpers import shape
from webhook.ops.acts import Actor
from webhook.services import Services

blueprint = Blueprint("ops", __name__, url_prefix="/api/v1")

Json = dict[str, Any]

WRONG = "A parameter or field is wrong: detail names it."
CUT = (
    f"One word of the filter is looked up, the others are held against {SCAN:,} rows of it at most. So a page may hold fewer "
    "items than the limit, or none, and still have a next_cursor: the list ends where next_cursor is null."
)
SHORTENED = "The ID is shortened, and begins several."
NO_BODY: Json = shape({})
ONCE = Parameter(
    "Idempotency-Key",
    {"type": "string", "pattern": "^[\\x21-\\x7e]{1,200}$"},
    "The same key within 24 hours gets the same answer and acts once.",
)
REUSED = "The state does not allow it, or the Idempotency-Key was used with another query or body."


def acting(
    summary: str,
    answer: Answer,
    *,
    path: Parameter,
    missing: str,
    detail: str = "",
    query: tuple[Parameter, ...] = (),
    conflict: str = REUSED,
) -> Call:
    """An operator's POST that takes no body and acts once for each Idempotency-Key."""
    return Call(
        summary=summary,
        detail=detail,
        who="operator",
        path=(path,),
        query=query,
        headers=(ONCE,),
        body=NO_BODY,
        is_body_required=False,
        answers={202: answer},
        problems={400: WRONG, 404: missing, 409: conflict},
    )


class AnyText(PathConverter):
    """A delivery id is the provider's: it may hold any visible character, slashes too."""

    regex = r"[^\x00]+?"
    part_isolating = False


class Segment(UnicodeConverter):
    """One part of an address. A NUL names nothing that is stored, and PostgreSQL would not even take the question."""

    def __init__(self, routes: Map) -> None:
        super().__init__(routes)
        self.regex = r"[^/\x00]+"


def services() -> Services:
    """The same for the whole of a request, also where other rules come in force meanwhile."""
    found: Services = g.setdefault("services", current_app.extensions["services"])
    return found


def words(known: tuple[str, ...]) -> dict[str, str]:
    """The query's words. Raises BadParameter for one that is unknown or given twice."""
    filters.check_known(request.args, known, "parameter")
    for word in request.args:
        if len(request.args.getlist(word)) > 1:
            raise BadParameter(f"{word} is given more than once")
    return dict(request.args)


def read_body(known: tuple[str, ...]) -> Json:
    """The request's JSON object; none at all is an empty one. Raises BadPayload, BadParameter."""
    raw = request.get_data()
    body = read_object(raw) if raw.strip() else {}
    filters.check_known(body, known, "key" if known else "key; this call takes none")
    return body


def actor() -> Actor:
    """Who calls, with the Idempotency-Key if one is given. Raises BadParameter."""
    key = request.headers.get("Idempotency-Key")
    if key is not None and not re.fullmatch(r"[\x21-\x7e]{1,200}", key):
        raise BadParameter("Idempotency-Key must be 1 to 200 visible ASCII characters")
    content = request.query_string + b"\n" + request.get_data()
    once = None if key is None else idempotency.Request(f"{request.method} {request.path}"[:300], key, content)
    return Actor(door="api", address=request.remote_addr, request=once)

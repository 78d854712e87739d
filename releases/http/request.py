"""Between Flask and the rest: authorise a request, read its body, run one transaction, answer. Decides nothing."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeVar, cast

import sqlalchemy as sa
from flask import Response, current_app, request
from sqlalchemy.engine import Connection, Engine

from releases.errors import Refused, bad_request, busy, commits_are_locked, conflicts, full, invalid
from releases.http.pagination import Cursor, Turn, parse_cursor, parse_page_size, render_link, turn_by_number
from releases.tenancy import authentication
from releases.tenancy.authentication import Caller, Organization
from releases.validation.body import BodyError, read_form, read_json
from releases.validation.fields import Fault

T = TypeVar("T")
_TRIES = 4
_RUN_AGAIN = ("40P01", "40001")  # PostgreSQL: deadlock, serialization failure
_LOCKED, _DISK_FULL = "55P03", "53100"
_JSON = ("application/json", "*/*")
_FORMS = ("application/x-www-form-urlencoded", "multipart/form-data")


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """What the routes need; one per app."""

    engine: Engine
    reader: Engine
    clock: Callable[[], datetime]
    trusts_local: bool  # the pages are open to visitors from this machine
    after_commit: Callable[[int], None]  # release id: its refs may have become findable, or others' have
    refuses_shared: bool = False  # credentials limited to projects change no release that other projects have, too


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """An authorised request: who, where, when. `visible`: projects whose releases it may reach, None for every one."""

    caller: Caller
    organization: Organization
    now: datetime
    visible: frozenset[int] | None = None


def server() -> Server:
    return cast("Server", current_app.extensions["releases"])


def refuses_shared() -> bool:
    return server().refuses_shared


def named_projects() -> list[str]:
    """The projects that the query names."""
    return [*request.args.getlist("project"), *request.args.getlist("projectSlug")]


def authorise(connection: Connection, org: str, scopes: Sequence[str]) -> Call:
    """Raises Refused: 401, 404, 403 in this order. The original lists no scope for HEAD, so HEAD is always 403."""
    now = server().clock()
    caller = authentication.authenticate(connection, request.headers.get("Authorization"), now)
    enough = () if request.method == "HEAD" else scopes
    organization = authentication.enter(connection, caller, org, enough)
    return Call(caller=caller, organization=organization, now=now, visible=caller.reaches)


@contextmanager
def reading(org: str, scopes: Sequence[str]) -> Iterator[tuple[Connection, Call]]:
    """A transaction that only reads, and the call."""
    with server().reader.begin() as connection:
        yield connection, authorise(connection, org, scopes)


def authorised(org: str, scopes: Sequence[str]) -> Call:
    """The call alone: a request that will write is authorised and read before it takes the write lock."""
    with reading(org, scopes) as (_, call):
        return call


def write(work: Callable[[Connection], T]) -> T:
    """Run `work` in one transaction, again where the database broke a tie. Raises Refused: 409 or 503 when it is busy, 507."""
    for left in range(_TRIES - 1, -1, -1):
        try:
            with server().engine.begin() as connection:
                return work(connection)
        except sa.exc.OperationalError as problem:
            state = getattr(problem.orig, "sqlstate", None)
            if state == _LOCKED:
                raise commits_are_locked() from problem
            if state not in _RUN_AGAIN or not left:
                raise unavailable(problem) from problem
        except sa.exc.IntegrityError as problem:
            raise conflicts() from problem
    raise AssertionError("unreachable")


def unavailable(problem: sa.exc.OperationalError) -> Refused:
    """What a database that cannot do its work is answered with."""
    code = getattr(problem.orig, "sqlite_errorcode", None)
    is_full = code == sqlite3.SQLITE_FULL or getattr(problem.orig, "sqlstate", None) == _DISK_FULL
    return full("the disk of the database") if is_full else busy()


def json_body(read: Callable[[object], T]) -> T:
    """The body, read. Raises Refused: 415, 400."""
    try:
        return read(json_value())
    except Fault as fault:
        raise invalid(fault_body(fault)) from fault


def json_value() -> object:
    """The value of the body: JSON, or the fields of a form as the JSON they stand for. Raises Refused: 415, 400."""
    if request.mimetype in _FORMS:
        return read_form(list(request.form.items(multi=True)))
    raw = request.get_data(cache=False)
    if raw and request.mimetype not in _JSON:
        raise Refused(415, {"detail": f'Unsupported media type "{request.mimetype[:100]}" in request.'})
    try:
        return read_json(raw)
    except BodyError as problem:
        raise bad_request(str(problem)) from problem


def fault_body(fault: Fault) -> dict[str, Any]:
    return fault.texts if isinstance(fault.texts, dict) else {"non_field_errors": fault.texts}


def answer(body: object, status: int = 200) -> Response:
    return Response(json.dumps(body, separators=(",", ":")), status, content_type="application/json")


def empty(status: int = 204) -> Response:
    """An answer that says nothing, not even of what type."""
    response = Response(status=status)
    del response.headers["Content-Type"]
    return response


def last_arg(name: str, default: str | None = None) -> str | None:
    """A query parameter; of a repeated one the last value counts, as in Django."""
    return request.args.getlist(name)[-1] if name in request.args else default


def paging() -> tuple[Cursor | None, int]:
    """Cursor and page size of the query. Raises Refused (400)."""
    try:
        size = parse_page_size(last_arg("per_page"))
        return parse_cursor(last_arg("cursor")), size
    except ValueError as problem:
        raise bad_request(str(problem)) from problem


def page(body: object, turn: Turn | None) -> Response:
    """A list with its Link header. `turn` None: there is but one page."""
    response = answer(body)
    turn = turn or turn_by_number(None, 100, has_more=False)
    query = [(key, value) for key, values in request.args.lists() for value in values]
    response.headers["Link"] = render_link(request.base_url, query, turn)
    return response

"""The addresses of the pages: organizations, releases of one, one release. GET only."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from flask import Blueprint, Response, render_template, request, url_for
from sqlalchemy.engine import Connection, RowMapping

from releases.artifacts.downloads import download
from releases.artifacts.service import is_on
from releases.errors import Refused
from releases.http.pagination import Cursor, parse_cursor
from releases.http.request import server
from releases.pages import queries
from releases.pages.visitors import Approach, Visitor, recognise
from releases.store import artifacts, releases
from releases.store.search import storable
from releases.tenancy import authentication
from releases.tenancy.authentication import Organization

routes = Blueprint("pages", __name__, template_folder="templates", static_folder="static", static_url_path="/static")
_POLICY = "default-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"


class _SignIn(Exception):
    """The visitor has to say who they are."""


@routes.errorhandler(_SignIn)
def ask_to_sign_in(_: _SignIn) -> tuple[str, int, dict[str, str]]:
    return (
        _message("Sign in", "Give a token or key of your organization as user name and leave the password empty."),
        401,
        {"WWW-Authenticate": 'Basic realm="releases", charset="UTF-8"'},
    )


@routes.errorhandler(Refused)
def show_refused(refused: Refused) -> tuple[str, int]:
    return _message("Not found" if refused.status == 404 else "Not possible", str(refused.body.get("detail"))), refused.status


def _message(title: str, text: str) -> str:
    return render_template("message.html", title=title, text=text)


@routes.after_request
def protect(response: Response) -> Response:
    response.headers.setdefault("Content-Security-Policy", _POLICY)
    response.headers["Referrer-Policy"] = "same-origin"
    if request.endpoint != "pages.static":
        response.headers["Cache-Control"] = "no-store"
    return response


@contextmanager
def _visit() -> Iterator[tuple[Connection, Visitor]]:
    with server().reader.begin() as connection:
        approach = Approach(
            remote=request.remote_addr or "",
            host=request.host,
            protocol=request.environ.get("SERVER_PROTOCOL", ""),
            headers=dict(request.headers),
        )
        visitor = recognise(connection, approach, server().clock(), trusts_local=server().trusts_local)
        if visitor is None:
            raise _SignIn
        yield connection, visitor


def _enter(connection: Connection, visitor: Visitor, slug: str) -> Organization:
    found = authentication.find_organization(connection, slug)
    if found is None or not visitor.may_enter(found.id):
        raise _missing()
    return found


def _missing() -> Refused:
    return Refused(404, {"detail": "There is nothing at this address."})


def _cursor() -> Cursor | None:
    try:
        return parse_cursor(request.args.get("cursor"))
    except ValueError as problem:
        raise Refused(400, {"detail": str(problem)}) from problem


@routes.get("/")
def show_organizations() -> str:
    with _visit() as (connection, visitor):
        only = None if visitor.caller is None else visitor.caller.organization_id
        found = queries.list_organizations(connection, only)
        if len(found) == 1:
            return _list(connection, visitor, Organization(found[0]["id"], found[0]["slug"]))
        return render_template("organizations.html", organizations=found)


@routes.get("/organizations/<org>/releases/")
def show_releases(org: str) -> str:
    with _visit() as (connection, visitor):
        return _list(connection, visitor, _enter(connection, visitor, org))


def _list(connection: Connection, visitor: Visitor, org: Organization) -> str:
    text, archived = storable(request.args.get("query", "").strip()), request.args.get("status") == "archived"
    shown: dict[str, Any] = {"org": org, "text": text, "archived": archived, "fault": None, "found": None}
    shown["artifact_totals"] = artifacts.totals_of_organization(connection, org.id) if visitor.projects is None else None
    try:
        shown["found"] = queries.list_releases(
            connection, org.id, visible=visitor.projects, text=text, archived=archived, cursor=_cursor()
        )
    except Refused as refused:
        shown["fault"] = refused.body.get("detail")
    except ValueError as problem:
        shown["fault"] = str(problem)
    kept: dict[str, Any] = {"org": org.slug, "query": text or None, "status": "archived" if archived else None}
    return render_template("releases.html", **shown, turn_url=lambda cursor: url_for(".show_releases", **kept, cursor=cursor))


@routes.get("/organizations/<org>/releases/<version>/files/<int(max=9223372036854775807):number>/")  # a row's
def download_file(org: str, version: str, number: int) -> Response:
    with _visit() as (connection, visitor):
        _, row = _find(connection, visitor, org, version)
        found = artifacts.find_of_version(connection, row["organization_id"], version, row["id"], visitor.projects, number)
    if found is None or not is_on():
        raise _missing()
    return download(found)


def _find(connection: Connection, visitor: Visitor, org: str, version: str) -> tuple[Organization, RowMapping]:
    """Raises Refused (404)."""
    entered = _enter(connection, visitor, org)
    row = releases.find(connection, entered.id, version)
    if row is None:
        raise _missing()
    mine = releases.projects_of(connection, row["id"])
    if visitor.projects is not None and not any(one["id"] in visitor.projects for one in mine):
        raise _missing()
    return entered, row


@routes.get("/organizations/<org>/releases/<version>/")
def show_release(org: str, version: str) -> str:
    with _visit() as (connection, visitor):
        entered, row = _find(connection, visitor, org, version)
        shown = queries.read_release(connection, row, _cursor(), visitor.projects)
        url = lambda cursor: url_for(".show_release", org=entered.slug, version=version, cursor=cursor)  # noqa: E731
        return render_template("release.html", org=entered, turn_url=url, **shown)

"""Routes that clients ask on their way to a release: organizations, projects, environments, and who is calling."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from flask import Blueprint, Response, request
from sqlalchemy.engine import Connection, RowMapping

from releases.errors import bad_request, forbidden, missing, unauthenticated
from releases.http.request import answer, empty, last_arg, page, paging, reading, server
from releases.routes.project_releases import enter_project
from releases.serializers import organizations as serializer
from releases.serializers.commits import Json
from releases.store import projects as project_store
from releases.store.search import storable
from releases.tenancy import authentication
from releases.tenancy.authentication import Caller
from releases.tenancy.credentials import ORGANIZATION, PROJECT

routes = Blueprint("organizations", __name__)
_VISIBILITIES = ("all", "hidden", "visible")
_MONOLITH = "--monolith--"  # what a Sentry of one region calls it


def _base() -> str:
    return request.root_url.rstrip("/")


@contextmanager
def _asking(scopes: Sequence[str]) -> Iterator[tuple[Connection, Caller]]:
    """A transaction that only reads, and the caller. Raises Refused: 401, 403."""
    with server().reader.begin() as connection:
        caller = authentication.authenticate(connection, request.headers.get("Authorization"), server().clock())
        if request.method == "HEAD":
            raise forbidden()
        authentication.require(caller, scopes)
        yield connection, caller


def _text() -> str:
    return storable(last_arg("query") or "")


@routes.get("/organizations/")
def list_organizations() -> Response:
    """The caller's own: a credential belongs to one organization here."""
    with _asking(ORGANIZATION) as (connection, caller):
        paging()
        row = project_store.find_organization(connection, caller.organization_id)
        words = _text().removeprefix("slug:").lower()
        found = [row] if words in row["slug"].lower() or words in row["name"].lower() else []
        return page([serializer.render_organization(one, _base()) for one in found], None)


@routes.get("/organizations/<org>/")
def show_organization(org: str) -> Response:
    with reading(org, ORGANIZATION) as (connection, call):
        row = project_store.find_organization(connection, call.organization.id)
        shown = _listed(connection, call.caller, project_store.all_of(connection, row["id"], call.caller.projects))
        return answer(serializer.render_organization_detail(row, _base(), call.caller.scopes, shown))


@routes.get("/organizations/<org>/projects/")
def list_projects(org: str) -> Response:
    with reading(org, ORGANIZATION) as (connection, call):
        if last_arg("all_projects") == "1":
            return answer(
                _listed(connection, call.caller, project_store.all_of(connection, call.organization.id, call.caller.projects))
            )
        cursor, size = paging()
        found = project_store.search(
            connection, call.organization.id, call.caller.projects, _text(), project_store.BY_SLUG, cursor, size
        )
        return page(_listed(connection, call.caller, found.rows), found.turn)


def _listed(connection: Connection, caller: Caller, rows: Sequence[RowMapping]) -> list[Json]:
    ids = [row["id"] for row in rows]
    latest, deploys = project_store.latest_releases(connection, ids), project_store.latest_deploys(connection, ids)
    return [
        serializer.render_listed_project(row, caller.scopes, latest.get(row["id"]), deploys.get(row["id"], ())) for row in rows
    ]


@routes.get("/organizations/<org>/environments/")
def list_environments(org: str) -> Response:
    with reading(org, ORGANIZATION) as (connection, call):
        rows = project_store.list_environments(connection, call.organization.id, call.caller.projects)
        return answer([serializer.render_environment(row) for row in rows])


@routes.get("/projects/")
def list_every_project() -> Response:
    with _asking(PROJECT) as (connection, caller):
        cursor, size = paging()
        text = _text() if last_arg("status") in (None, "", "active") else "status:other"
        found = project_store.search(
            connection, caller.organization_id, caller.projects, text, project_store.NEWEST_FIRST, cursor, size
        )
        owner = serializer.render_organization(project_store.find_organization(connection, caller.organization_id), _base())
        return page([serializer.render_project_of(row, caller.scopes, owner) for row in found.rows], found.turn)


@routes.get("/projects/<org>/<project>/")
def show_project(org: str, project: str) -> Response:
    with server().reader.begin() as connection:
        call, row = enter_project(connection, org, project, PROJECT)
        owner = serializer.render_organization(project_store.find_organization(connection, call.organization.id), _base())
        latest = project_store.latest_releases(connection, [row["id"]]).get(row["id"])
        return answer(serializer.render_project_detail(row, call.caller.scopes, owner, latest))


@routes.get("/projects/<org>/<project>/environments/")
def list_project_environments(org: str, project: str) -> Response:
    """None is ever hidden here."""
    with server().reader.begin() as connection:
        call, row = enter_project(connection, org, project, PROJECT)
        wanted = last_arg("visibility", "visible")
        if wanted not in _VISIBILITIES:
            raise bad_request(f"Invalid value for 'visibility', valid values are: {list(_VISIBILITIES)}")
        rows = project_store.list_environments(connection, call.organization.id, [row["id"]]) if wanted != "hidden" else ()
        return answer([{**serializer.render_environment(one), "isHidden": False} for one in rows])


@routes.get("/projects/<org>/<project>/environments/<environment>/")
def show_project_environment(org: str, project: str, environment: str) -> Response:
    with server().reader.begin() as connection:
        call, row = enter_project(connection, org, project, PROJECT)
        for one in project_store.list_environments(connection, call.organization.id, [row["id"]]):
            if one["name"] == environment:
                return answer({**serializer.render_environment(one), "isHidden": False})
        raise missing()


def _known_user() -> Json | None:
    """The user of the token; a token that is nobody's speaks for itself. None without a token. Raises Refused (401)."""
    header = request.headers.get("Authorization")
    if header is None:
        return None
    with server().reader.begin() as connection:
        caller = authentication.authenticate(connection, header, server().clock())
    if caller.kind == "key":
        raise unauthenticated("Invalid username/password.")
    return serializer.render_self(caller.user_columns())


@routes.get("/auth/")
def show_caller() -> Response:
    user = _known_user()
    return answer({**user, "permissions": [], "authenticators": []}) if user is not None else empty(400)


@routes.get("/users/me/regions/")
def list_regions() -> Response:
    """One: this server."""
    if _known_user() is None:
        raise unauthenticated("Authentication credentials were not provided.")
    return answer({"regions": [{"name": _MONOLITH, "url": _base()}]})

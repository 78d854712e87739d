"""Routes of one project's releases: the older form of the same thing, limited to that project."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from flask import Blueprint, Response, request
from sqlalchemy.engine import Connection, RowMapping

from releases import operations
from releases.errors import Refused, bad_request, forbidden, missing
from releases.http.request import Call, answer, authorise, json_body, page, paging, server, write
from releases.operations import Outcome
from releases.routes.common import finished, read_owned, user_agent
from releases.serializers import releases as release_serializer
from releases.serializers.commits import render_commits
from releases.store import listings, search
from releases.store import releases as release_store
from releases.tables.releases import releases
from releases.tenancy import organizations
from releases.tenancy.credentials import DELETE, READ, WRITE
from releases.validation.requests import read_change, read_project_release

routes = Blueprint("project_releases", __name__)
_LIST = "/projects/<org>/<project>/releases/"
_ONE = "/projects/<org>/<project>/releases/<version>/"


def _enter(connection: Connection, org: str, project: str, scopes: Sequence[str]) -> tuple[Call, RowMapping]:
    """The call and the project. Raises Refused: as for an organization, then 302 renamed, 404 unknown, 403 not the caller's."""
    call = authorise(connection, org, scopes)
    name: int | str = int(project) if project.isascii() and project.isdigit() and len(project) < 19 else project
    found = organizations.find_projects(connection, call.organization.id, [name]).get(name)
    if found is None:
        if new_slug := organizations.find_redirect(connection, call.organization.id, project):
            raise _moved(project, new_slug)
        raise missing()
    if not call.caller.may_see(found["id"]):
        raise forbidden()
    return call, found


def _moved(old: str, new: str) -> Refused:
    where = request.full_path.rstrip("?").replace(f"/{old}/", f"/{new}/", 1)
    message = "Resource has been moved"
    body = {"slug": new, "detail": {"extra": {"url": where, "slug": new}, "message": message, "code": "resource-moved"}}
    return Refused(302, body, {"Location": where})


def _authorised(org: str, project: str, scopes: Sequence[str]) -> tuple[Call, RowMapping]:
    with server().reader.begin() as connection:
        return _enter(connection, org, project, scopes)


def _reach(connection: Connection, call: Call, project: RowMapping, version: str, *, lock: bool = False) -> RowMapping:
    """A release that is linked to the project. Raises Refused (404)."""
    row = release_store.find(connection, call.organization.id, version, lock=lock)
    if row is None or project["id"] not in {one["id"] for one in release_store.projects_of(connection, row["id"])}:
        raise missing()
    return row


def _render(connection: Connection, rows: Sequence[RowMapping], project: RowMapping) -> list[dict[str, Any]]:
    return release_serializer.render_releases(connection, rows, project_ids=[project["id"]])


@routes.get(_LIST)
def list_releases(org: str, project: str) -> Response:
    cursor, size = paging()
    with server().reader.begin() as connection:
        call, found = _enter(connection, org, project, READ)
        query = listings.within_projects(listings.of_organization(call.organization.id), [found["id"]])
        query = query.where(releases.c.is_archived.is_(False))
        for clause in search.matching(search.storable(request.args.get("query", ""))):
            query = query.where(clause)
        if names := [search.storable(name) for name in request.args.getlist("environment") if name]:
            query = query.where(search.deployed_to(search.find_environments(connection, call.organization.id, names)))
        try:
            rows = listings.page_by_time(connection, query, listings.BY_RELEASE, cursor, size)
        except ValueError as problem:
            raise bad_request(str(problem)) from problem
        return page(_render(connection, rows.rows, found), rows.turn)


@routes.post(_LIST)
def create_release(org: str, project: str) -> Response:
    call, found = _authorised(org, project, WRITE)
    new, owner_id = read_owned(call, read_project_release)
    new = replace(new, projects=(found["id"],))
    outcome = write(lambda connection: operations.create(connection, call, new, owner_id, user_agent(), is_project=True))
    return finished(outcome)


@routes.get(_ONE)
def show_release(org: str, project: str, version: str) -> Response:
    with server().reader.begin() as connection:
        call, found = _enter(connection, org, project, READ)
        return answer(_render(connection, [_reach(connection, call, found, version)], found)[0])


@routes.put(_ONE)
def change_release(org: str, project: str, version: str) -> Response:
    call, found = _authorised(org, project, WRITE)
    new = replace(json_body(lambda data: read_change(data, version)), refs=None)

    def work(connection: Connection) -> Outcome:
        row = operations.change(connection, call, _reach(connection, call, found, version, lock=True), new)
        return Outcome(200, _render(connection, [row], found)[0], operations.to_find(connection, row, new))

    return finished(write(work))


@routes.delete(_ONE)
def delete_release(org: str, project: str, version: str) -> Response:
    call, found = _authorised(org, project, DELETE)
    write(lambda connection: release_store.remove(connection, _reach(connection, call, found, version, lock=True)["id"]))
    return Response(status=204)


@routes.get(_ONE + "commits/")
def list_commits(org: str, project: str, version: str) -> Response:
    cursor, size = paging()
    with server().reader.begin() as connection:
        call, found = _enter(connection, org, project, READ)
        row = _reach(connection, call, found, version)
        shown = listings.commits_of(connection, row["id"], cursor, size)
        return page(render_commits(connection, shown.rows), shown.turn)

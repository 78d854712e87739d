"""Routes of one project's releases: the older form of the same thing, limited to that project."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from flask import Blueprint, Response, request
from sqlalchemy.engine import Connection, RowMapping

from releases import operations
from releases.errors import Refused, bad_request, forbidden, missing
from releases.http.request import (
    Call,
    answer,
    authorise,
    empty,
    json_body,
    last_arg,
    page,
    paging,
    refuses_shared,
    server,
    write,
)
from releases.operations import Outcome
from releases.routes.common import finished, read_owned, user_agent
from releases.serializers import releases as release_serializer
from releases.serializers.commits import render_commits, render_repository
from releases.store import listings, search
from releases.store import releases as release_store
from releases.store.search import check_periods
from releases.tables.releases import releases
from releases.tenancy import organizations
from releases.tenancy.credentials import DELETE, READ, WRITE
from releases.validation.requests import read_project_change, read_project_release

routes = Blueprint("project_releases", __name__)
_LIST = "/projects/<org>/<project>/releases/"
_ONE = "/projects/<org>/<project>/releases/<version>/"


def enter_project(connection: Connection, org: str, project: str, scopes: Sequence[str]) -> tuple[Call, RowMapping]:
    """The call and the project. Raises Refused: as for an organization, then 302 renamed, 404 unknown, 403 not the caller's."""
    call = authorise(connection, org, scopes)
    name: int | str = int(project) if project.isascii() and project.isdigit() and len(project) < 19 else project
    found = organizations.find_projects(connection, call.organization.id, [name]).get(name)
    if found is None:
        moved = organizations.find_redirect(connection, call.organization.id, project)
        if moved is None:
            raise missing()
        if call.caller.may_see(moved["id"]):
            raise _moved(project, moved["slug"])
        raise forbidden()
    if not call.caller.may_see(found["id"]):
        raise forbidden()
    return call, found


def _moved(old: str, new: str) -> Refused:
    where = request.script_root + request.full_path.rstrip("?").replace(f"/{old}/", f"/{new}/", 1)
    message = "Resource has been moved"
    body = {"slug": new, "detail": {"extra": {"url": where, "slug": new}, "message": message, "code": "resource-moved"}}
    return Refused(302, body, {"Location": where})


def _authorised(org: str, project: str, scopes: Sequence[str]) -> tuple[Call, RowMapping]:
    with server().reader.begin() as connection:
        return enter_project(connection, org, project, scopes)


def reach_in_project(
    connection: Connection, call: Call, project: RowMapping, version: str, *, lock: bool = False, is_change: bool = False
) -> RowMapping:
    """A release that is linked to the project. Raises Refused: 404, 403 as `operations.reach` does for a change."""
    row = release_store.find(connection, call.organization.id, version, lock=lock)
    ids = {one["id"] for one in release_store.projects_of(connection, row["id"])} if row is not None else set()
    if row is None or project["id"] not in ids:
        raise missing()
    if is_change and refuses_shared() and call.caller.projects is not None and not ids <= call.caller.projects:
        raise forbidden()
    return row


def _render(connection: Connection, rows: Sequence[RowMapping], call: Call) -> list[dict[str, Any]]:
    """Every project of the release is named that the caller may see, as the original does here."""
    return release_serializer.render_releases(connection, rows, visible=call.caller.projects)


@routes.get(_LIST)
def list_releases(org: str, project: str) -> Response:
    with server().reader.begin() as connection:
        call, found = enter_project(connection, org, project, READ)
        cursor, size = paging()
        query = listings.within_projects(listings.of_organization(call.organization.id), [found["id"]])
        query = query.where(releases.c.is_archived.is_(False))
        if text := search.storable(last_arg("query") or ""):
            query = query.where(search.containing(text))
        if (name := last_arg("environment")) is not None:
            environments = search.find_environments(connection, call.organization.id, [search.storable(name)])
            query = query.where(search.deployed_to(environments, [found["id"]]))
        try:
            rows = listings.page_by_time(connection, query, listings.BY_RELEASE, cursor, size)
        except ValueError as problem:
            raise bad_request(str(problem)) from problem
        return page(_render(connection, rows.rows, call), rows.turn)


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
        call, found = enter_project(connection, org, project, READ)
        check_periods(request.args)
        return answer(_render(connection, [reach_in_project(connection, call, found, version)], call)[0])


@routes.put(_ONE)
def change_release(org: str, project: str, version: str) -> Response:
    call, found = _authorised(org, project, WRITE)
    with server().reader.begin() as connection:
        reach_in_project(connection, call, found, version)  # 404 comes before the faults of the body
    new = replace(json_body(lambda data: read_project_change(data, version)), refs=None)

    def work(connection: Connection) -> Outcome:
        row = reach_in_project(connection, call, found, version, lock=True, is_change=True)
        row = operations.change(connection, call, row, new)
        return Outcome(200, _render(connection, [row], call)[0], operations.to_find(connection, row, new))

    return finished(write(work))


@routes.delete(_ONE)
def delete_release(org: str, project: str, version: str) -> Response:
    call, found = _authorised(org, project, DELETE)

    def work(connection: Connection) -> None:
        row = reach_in_project(connection, call, found, version, lock=True, is_change=True)
        release_store.remove(connection, row)

    write(work)
    return empty()


@routes.get(_ONE + "commits/")
def list_commits(org: str, project: str, version: str) -> Response:
    with server().reader.begin() as connection:
        call, found = enter_project(connection, org, project, READ)
        row = reach_in_project(connection, call, found, version)
        cursor, size = paging()
        repository_id = None
        if name := last_arg("repo_name"):
            repository_id = listings.find_repository(connection, call.organization.id, search.storable(name))
        shown = listings.commits_of(connection, row["id"], cursor, size, repository_id=repository_id)
        return page(render_commits(connection, shown.rows, visible=call.caller.projects), shown.turn)


@routes.get(_ONE + "repositories/")
def list_repositories(org: str, project: str, version: str) -> Response:
    """The repositories that commits of the release lie in."""
    with server().reader.begin() as connection:
        call, found = enter_project(connection, org, project, READ)
        row = reach_in_project(connection, call, found, version)
        return answer([render_repository(one) for one in listings.repositories_in(connection, row["id"])])


@routes.get(_ONE + "resolved/")
def list_resolved(org: str, project: str, version: str) -> Response:
    """Issues that the release resolved: none, since no events are kept here."""
    with server().reader.begin() as connection:
        call, found = enter_project(connection, org, project, READ)
        reach_in_project(connection, call, found, version)
        return answer([])

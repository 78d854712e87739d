"""Routes that read a release's commits and what they changed."""

from __future__ import annotations

from flask import Blueprint, Response

from releases.http.request import answer, last_arg, named_projects, page, paging, reading
from releases.operations import reach
from releases.serializers.commits import render_commits, render_files, render_repository
from releases.serializers.releases import render_meta, render_releases
from releases.store import artifacts, listings
from releases.store.search import storable
from releases.tenancy.credentials import READ, REPOSITORIES

routes = Blueprint("commits", __name__)
_ONE = "/organizations/<org>/releases/<version>/"


@routes.get(_ONE + "commits/")
def list_commits(org: str, version: str) -> Response:
    with reading(org, READ) as (connection, call):
        reached = reach(connection, call, version, named=named_projects())
        cursor, size = paging()
        found = listings.commits_of(connection, reached.row["id"], cursor, size)
        return page(render_commits(connection, found.rows, visible=call.caller.projects), found.turn)


@routes.get(_ONE + "commitfiles/")
def list_files(org: str, version: str) -> Response:
    """What the release's commits changed, one row for each file of each commit."""
    with reading(org, READ) as (connection, call):
        reached = reach(connection, call, version, named=named_projects())
        cursor, size = paging()
        repository_id = None
        if name := last_arg("repo_name"):
            repository_id = listings.find_repository(connection, call.organization.id, storable(name))
        found = listings.files_of(connection, reached.row["id"], cursor, size, repository_id=repository_id)
        return page(render_files(found.rows, call.organization.id), found.turn)


@routes.get(_ONE + "meta/")
def show_meta(org: str, version: str) -> Response:
    with reading(org, READ) as (connection, call):
        reached = reach(connection, call, version, named=named_projects())
        shown = render_releases(connection, [reached.row], visible=call.caller.projects)[0]
        files = artifacts.totals(connection, call.organization.id, version, reached.row["id"], reached.visible)[0]
        own = artifacts.count_own(connection, reached.row["id"])
        changed = listings.count_files(connection, reached.row["id"])
        return answer(render_meta(shown, changed=changed, artifacts=files, is_bundle=files > own))


@routes.get(_ONE + "resolved/")
def list_resolved(org: str, version: str) -> Response:
    """Issues that the release resolved: none, since no events are kept here."""
    with reading(org, READ) as (connection, call):
        reach(connection, call, version, named=named_projects())
        return answer([])


@routes.get(_ONE + "previous-with-commits/")
def show_previous(org: str, version: str) -> Response:
    with reading(org, READ) as (connection, call):
        reached = reach(connection, call, version, named=named_projects())
        found = listings.previous_with_commits(connection, reached.row, call.visible)
        rows = [] if found is None else [found]
        shown = render_releases(connection, rows, visible=call.caller.projects)
        return answer(shown[0] if shown else {})


@routes.get("/organizations/<org>/repos/")
def list_repositories(org: str) -> Response:
    with reading(org, REPOSITORIES) as (connection, call):
        cursor, size = paging()
        text, status = storable(last_arg("query") or ""), last_arg("status", "active")
        found = listings.repositories_of(
            connection, call.organization.id, text, cursor, size, is_active=status in ("active", "")
        )
        return page([render_repository(row) for row in found.rows], found.turn)

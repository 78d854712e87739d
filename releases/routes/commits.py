"""Routes that read commits and repositories."""

from __future__ import annotations

from flask import Blueprint, Response

from releases.http.request import answer, page, paging, reading
from releases.operations import reach
from releases.serializers.commits import render_commits, render_repository
from releases.serializers.releases import render_releases
from releases.store import listings
from releases.tenancy.credentials import READ, REPOSITORIES

routes = Blueprint("commits", __name__)


@routes.get("/organizations/<org>/releases/<version>/commits/")
def list_commits(org: str, version: str) -> Response:
    cursor, size = paging()
    with reading(org, READ) as (connection, call):
        row = reach(connection, call, version)
        found = listings.commits_of(connection, row["id"], cursor, size)
        return page(render_commits(connection, found.rows), found.turn)


@routes.get("/organizations/<org>/releases/<version>/previous-with-commits/")
def show_previous(org: str, version: str) -> Response:
    with reading(org, READ) as (connection, call):
        row = reach(connection, call, version)
        found = listings.previous_with_commits(connection, row)
        return answer(render_releases(connection, [found])[0] if found is not None else {})


@routes.get("/organizations/<org>/repos/")
def list_repositories(org: str) -> Response:
    cursor, size = paging()
    with reading(org, REPOSITORIES) as (connection, call):
        found = listings.repositories_of(connection, call.organization.id, cursor, size)
        return page([render_repository(row) for row in found.rows], found.turn)

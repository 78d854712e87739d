"""Routes of an organization's releases: list, create, show, change, remove."""

from __future__ import annotations

from flask import Blueprint, Response, request
from sqlalchemy.engine import Connection

from releases import operations
from releases.errors import bad_request, missing
from releases.http.request import (
    answer,
    authorised,
    json_body,
    page,
    paging,
    reading,
    write,
)
from releases.operations import Outcome, reach
from releases.routes.common import finished, read_owned, user_agent
from releases.serializers import releases as release_serializer
from releases.store import listings
from releases.store import releases as release_store
from releases.store.search import narrow
from releases.tenancy.credentials import DELETE, READ, WRITE
from releases.validation.requests import read_change, read_new_release

routes = Blueprint("releases", __name__)


@routes.get("/organizations/<org>/releases/")
def list_releases(org: str) -> Response:
    cursor, size = paging()
    with reading(org, READ) as (connection, call):
        query, order = narrow(connection, call.caller, request.args, call.now)
        try:
            if order is None:
                found = listings.page_by_time(connection, query, listings.BY_CREATION, cursor, size)
            else:
                found = listings.page_by_number(connection, query.order_by(*order), cursor, size)
        except ValueError as problem:
            raise bad_request(str(problem)) from problem
        return page(release_serializer.render_releases(connection, found.rows), found.turn)


@routes.post("/organizations/<org>/releases/")
def create_release(org: str) -> Response:
    call = authorised(org, WRITE)
    new, owner_id = read_owned(call, read_new_release)
    outcome = write(lambda connection: operations.create(connection, call, new, owner_id, user_agent()))
    return finished(outcome)


@routes.get("/organizations/<org>/releases/<version>/")
def show_release(org: str, version: str) -> Response:
    with reading(org, READ) as (connection, call):
        row = reach(connection, call, version)
        shown = release_serializer.render_releases(connection, [row])[0]
        if wanted := request.args.get("project"):
            if wanted not in {str(project["id"]) for project in shown["projects"]}:
                raise missing()
            shown["currentProjectMeta"] = listings.neighbours(connection, row, int(wanted))
        return answer(shown)


@routes.put("/organizations/<org>/releases/<version>/")
def change_release(org: str, version: str) -> Response:
    call = authorised(org, WRITE)
    new = json_body(lambda data: read_change(data, version))

    def work(connection: Connection) -> Outcome:
        row = operations.change(connection, call, reach(connection, call, version, lock=True), new)
        return Outcome(200, release_serializer.render_releases(connection, [row])[0], operations.to_find(connection, row, new))

    return finished(write(work))


@routes.delete("/organizations/<org>/releases/<version>/")
def delete_release(org: str, version: str) -> Response:
    call = authorised(org, DELETE)
    write(lambda connection: release_store.remove(connection, reach(connection, call, version, lock=True)["id"]))
    return Response(status=204)

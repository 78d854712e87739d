"""Routes of an organization's releases: list, create, show, change, remove."""

from __future__ import annotations

from flask import Blueprint, Response, request
from sqlalchemy.engine import Connection

from releases import operations
from releases.errors import bad_request
from releases.http.request import (
    answer,
    authorised,
    empty,
    json_body,
    last_arg,
    named_projects,
    page,
    paging,
    reading,
    server,
    write,
)
from releases.operations import Outcome, reach
from releases.routes.common import finished, read_owned, user_agent
from releases.serializers import releases as release_serializer
from releases.store import listings
from releases.store import releases as release_store
from releases.store.search import check_periods, narrow
from releases.tenancy.credentials import DELETE, READ, WRITE
from releases.validation.requests import read_change, read_new_release

routes = Blueprint("releases", __name__)


@routes.get("/organizations/<org>/releases/")
def list_releases(org: str) -> Response:
    with reading(org, READ) as (connection, call):
        if call.visible == frozenset():
            return answer([])
        wanted = narrow(connection, call.organization.id, call.visible, request.args, call.now)
        cursor, size = paging()
        try:
            if wanted.order is None:
                found = listings.page_by_time(connection, wanted.query, listings.BY_CREATION, cursor, size)
            else:
                found = listings.page_by_number(connection, wanted.query.order_by(*wanted.order), cursor, size)
        except ValueError as problem:
            raise bad_request(str(problem)) from problem
        shown = release_serializer.render_releases(connection, found.rows, visible=call.caller.projects)
        if last_arg("adoptionStages") == "1":
            shown = [{**one, "adoptionStages": None} for one in shown]
        return page(shown, found.turn)


@routes.post("/organizations/<org>/releases/")
def create_release(org: str) -> Response:
    call = authorised(org, WRITE)
    new, owner_id = read_owned(call, read_new_release)
    outcome = write(lambda connection: operations.create(connection, call, new, owner_id, user_agent()))
    return finished(outcome)


@routes.get("/organizations/<org>/releases/<version>/")
def show_release(org: str, version: str) -> Response:
    with reading(org, READ) as (connection, call):
        check_periods(request.args)
        reached = reach(connection, call, version, named=named_projects())
        shown = release_serializer.render_releases(connection, [reached.row], visible=call.caller.projects)[0]
        if last_arg("adoptionStages") == "1":
            shown["adoptionStages"] = None
        if request.args.get("project") and reached.visible is not None:
            if (last_arg("sort") or "date") != "date":
                raise bad_request("invalid sort")
            shown["currentProjectMeta"] = listings.neighbours(connection, reached.row, reached.visible)
        return answer(shown)


@routes.put("/organizations/<org>/releases/<version>/")
def change_release(org: str, version: str) -> Response:
    call = authorised(org, WRITE)
    named = named_projects()
    with server().reader.begin() as connection:
        reach(connection, call, version, named=named)  # 404 comes before the faults of the body
    new = json_body(lambda data: read_change(data, version))

    def work(connection: Connection) -> Outcome:
        reached = reach(connection, call, version, named=named, lock=True, is_change=True)
        row = operations.change(connection, call, reached.row, new)
        shown = release_serializer.render_releases(connection, [row], visible=call.caller.projects)[0]
        return Outcome(200, shown, operations.to_find(connection, row, new))

    return finished(write(work))


@routes.delete("/organizations/<org>/releases/<version>/")
def delete_release(org: str, version: str) -> Response:
    call = authorised(org, DELETE)
    named = named_projects()

    def work(connection: Connection) -> None:
        reached = reach(connection, call, version, named=named, lock=True, is_change=True)
        release_store.remove(connection, reached.row)

    write(work)
    return empty()

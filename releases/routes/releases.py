"""Routes of an organization's releases: list, create, show, change, remove."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from flask import Blueprint, Response, request
from sqlalchemy.engine import Connection

from releases import operations
from releases.errors import bad_request, invalid, missing
from releases.http.request import (
    Call,
    answer,
    authorised,
    fault_body,
    json_body,
    json_value,
    page,
    paging,
    reading,
    server,
    write,
)
from releases.operations import Outcome, reach
from releases.serializers import releases as release_serializer
from releases.store import listings
from releases.store import releases as release_store
from releases.store.search import narrow
from releases.tenancy import organizations
from releases.tenancy.credentials import DELETE, READ, WRITE
from releases.validation.fields import Fault
from releases.validation.requests import NewRelease, read_change, read_new_release
from shared.infra import logs

routes = Blueprint("releases", __name__)
_LONGEST_USER_AGENT = 256


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


def finished(outcome: Outcome) -> Response:
    """The answer; what was stored may let refs become commits, here or elsewhere."""
    if outcome.to_find is not None:
        server().after_commit(outcome.to_find)
    counts = {"commits": outcome.body["commitCount"], "status": outcome.status}
    logs.get(__name__).info("releases.stored", version=outcome.body["version"], **counts)
    return answer(outcome.body, outcome.status)


def user_agent() -> str | None:
    text = request.headers.get("User-Agent", "")[:_LONGEST_USER_AGENT]
    return text.replace("\0", "") or None


def read_owned(call: Call, read: Callable[[object], NewRelease]) -> tuple[NewRelease, int | None]:
    """The body and the owner it names; a bad owner is reported together with every other bad field."""
    data = json_value()
    faults: dict[str, Any] = {}
    new = owner_id = None
    try:
        new = read(data)
    except Fault as fault:
        faults = fault_body(fault)
    if isinstance(data, dict) and data.get("owner"):
        try:
            owner_id = find_owner(call, data["owner"])
        except Fault as fault:
            faults["owner"] = fault.texts
    if new is None or faults:
        raise invalid(faults)
    return new, owner_id


def find_owner(call: Call, named: object) -> int:
    """A member's id. Raises Fault."""
    if isinstance(named, bool) or not isinstance(named, (str, int)):
        raise Fault(["Unable to find user"])
    with server().reader.begin() as connection:
        user = organizations.find_user(connection, named)
        if user is None or not user["is_active"]:
            raise Fault(["Unable to find user"])
        if not organizations.is_member(connection, call.organization.id, user["id"]):
            raise Fault(["User does not have access to this organization"])
    return int(user["id"])


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

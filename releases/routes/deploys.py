"""Routes of a release's deploys."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from flask import Blueprint, Response
from sqlalchemy.engine import Connection, RowMapping

from releases.errors import invalid, missing
from releases.http.request import (
    Call,
    answer,
    authorised,
    fault_body,
    json_value,
    named_projects,
    page,
    paging,
    reading,
    server,
    write,
)
from releases.operations import reach
from releases.serializers.releases import render_deploy
from releases.store import deploys, releases
from releases.tenancy import organizations
from releases.tenancy.credentials import READ, WRITE
from releases.validation.fields import Fault
from releases.validation.requests import NewDeploy, project_name, read_deploy

routes = Blueprint("deploys", __name__)


_LIST = "/organizations/<org>/releases/<version>/deploys/"


@routes.get(_LIST)
def list_deploys(org: str, version: str) -> Response:
    with reading(org, READ) as (connection, call):
        reached = reach(connection, call, version, named=named_projects())
        cursor, size = paging()
        found = deploys.page_of_last(connection, reached.row["id"], reached.visible, cursor, size)
        return page([render_deploy(deploy) for deploy in found.rows], found.turn)


@routes.post(_LIST)
def create_deploy(org: str, version: str) -> Response:
    call = authorised(org, WRITE)
    named = named_projects()
    with server().reader.begin() as connection:
        _reach(connection, call, version, named)  # 404 comes before the faults of the body
    new, ids = _read(call)

    def work(connection: Connection) -> dict[str, Any]:
        row = _reach(connection, call, version, named, lock=True)
        return render_deploy(deploys.record(connection, row, new, _choose(connection, row, ids), call.now))

    return answer(write(work), 201)


def _reach(connection: Connection, call: Call, version: str, named: Sequence[str], *, lock: bool = False) -> RowMapping:
    """The release, all of whose projects the caller may see: a deploy counts for each of them. Raises Refused (404)."""
    reached = reach(connection, call, version, named=named, lock=lock)
    linked = releases.projects_of(connection, reached.row["id"])
    if not all(call.caller.may_see(project["id"]) for project in linked):
        raise missing()
    return reached.row


def _read(call: Call) -> tuple[NewDeploy, dict[int, str] | None]:
    """The body, and the projects it names as {id: slug}. A bad project is reported together with every other bad field."""
    data = json_value()
    faults: dict[str, Any] = {}
    new = None
    try:
        new = read_deploy(data)
    except Fault as fault:
        faults = fault_body(fault)
    named = data.get("projects") if isinstance(data, dict) and "projects" not in faults else None
    found: dict[int, str] | None = None
    if named:
        with server().reader.begin() as connection:
            names = [project_name(name) for name in named]
            rows = organizations.find_projects(connection, call.organization.id, names)
        if not all(name in rows and call.caller.may_see(rows[name]["id"]) for name in names):
            faults["projects"] = ["Invalid project"]
        found = {row["id"]: row["slug"] for row in rows.values()}
    if new is None or faults:
        raise invalid(faults)
    return new, found


def _choose(connection: Connection, row: RowMapping, named: dict[int, str] | None) -> set[int]:
    """The release's projects, or those of them that were named. Raises Refused (400)."""
    known = {project["id"] for project in releases.projects_of(connection, row["id"])}
    if named is None:
        return known
    if foreign := [slug for number, slug in named.items() if number not in known]:
        message = f"Invalid projects ({', '.join(foreign)}) for release {row['version']}"
        raise invalid({"detail": {"code": "parameter-validation-error", "message": message, "extra": {"context": ""}}})
    return set(named)

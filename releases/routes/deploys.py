"""Routes of a release's deploys."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, Response, request
from sqlalchemy.engine import Connection, RowMapping

from releases.errors import Refused, bad_request
from releases.http.request import Call, answer, authorised, json_body, reading, write
from releases.operations import reach
from releases.serializers.releases import render_deploy
from releases.store import deploys, releases
from releases.tenancy.credentials import READ, WRITE
from releases.validation.requests import NewDeploy, read_deploy

routes = Blueprint("deploys", __name__)


@routes.get("/organizations/<org>/releases/<version>/deploys/")
def list_deploys(org: str, version: str) -> Response:
    wanted = _project_filter()
    with reading(org, READ) as (connection, call):
        row = reach(connection, call, version)
        if wanted is None and call.caller.projects is not None:
            wanted = call.caller.projects
        return answer([render_deploy(deploy) for deploy in deploys.list_last(connection, row["id"], wanted)])


def _project_filter() -> frozenset[int] | None:
    """The `project` ids asked for; -1 and none at all mean every one."""
    named = request.args.getlist("project")
    if not all(name.isascii() and name.removeprefix("-").isdigit() and len(name) < 19 for name in named):
        raise bad_request("Invalid project parameter. Values must be numbers.")
    ids = frozenset(int(name) for name in named)
    return None if not ids or -1 in ids else ids


@routes.post("/organizations/<org>/releases/<version>/deploys/")
def create_deploy(org: str, version: str) -> Response:
    call = authorised(org, WRITE)
    new = json_body(read_deploy)

    def work(connection: Connection) -> dict[str, Any]:
        row = reach(connection, call, version, lock=True)
        ids = _choose_projects(connection, call, row, new)
        return render_deploy(deploys.record(connection, row, new, ids, call.now))

    return answer(write(work), 201)


def _choose_projects(connection: Connection, call: Call, row: RowMapping, new: NewDeploy) -> set[int]:
    """The release's projects, or those of them that were named. Raises Refused (400)."""
    known = [project for project in releases.projects_of(connection, row["id"]) if call.caller.may_see(project["id"])]
    if new.projects is None:
        return {project["id"] for project in known}
    by_name = {project["slug"]: project["id"] for project in known} | {project["id"]: project["id"] for project in known}
    foreign = [str(name) for name in new.projects if name not in by_name]
    if foreign:
        raise Refused(400, _not_on_release(foreign, row["version"]))
    return {by_name[name] for name in new.projects}


def _not_on_release(names: list[str], version: str) -> dict[str, Any]:
    message = f"Invalid projects ({', '.join(names)}) for release {version}"
    return {"detail": {"code": "parameter-validation-error", "message": message, "extra": {}}}

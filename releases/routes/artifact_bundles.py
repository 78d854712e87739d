"""Routes of a project's bundles: listed, their files listed and given back, taken away."""

from __future__ import annotations

import base64
import binascii
from typing import Any

from flask import Blueprint, Response
from sqlalchemy.engine import Connection, RowMapping

from releases.artifacts.archives import normal_id
from releases.artifacts.downloads import download
from releases.artifacts.service import service
from releases.errors import Refused, missing
from releases.http.request import empty, last_arg, page, paging, server, write
from releases.routes.project_releases import enter_project
from releases.serializers import artifacts as serializer
from releases.store import artifacts as store
from releases.store import releases as release_store
from releases.store.search import storable
from releases.tables.artifacts import bundles
from releases.tenancy.credentials import DELETE, READ

routes = Blueprint("artifact_bundles", __name__)
_LIST = "/projects/<org>/<project>/files/artifact-bundles/"
_FILES = "/projects/<org>/<project>/artifact-bundles/<bundle_id>/files/"
_OLD = "/projects/<org>/<project>/files/source-maps/"
_ORDERS: dict[str, Any] = {
    "date_added": bundles.c.date_added.asc(),
    "-date_added": bundles.c.date_added.desc(),
    "date_modified": bundles.c.date_modified.asc(),
    "-date_modified": bundles.c.date_modified.desc(),
}
_BAD_ORDER = "You can either sort via 'date_added' or 'date_modified'"


@routes.get(_LIST)
def list_bundles(org: str, project: str) -> Response:
    with server().reader.begin() as connection:
        _, found = enter_project(connection, org, project, READ)
        order = _ORDERS.get(last_arg("sortBy") or "-date_added")
        if order is None:
            raise Refused(400, {"detail": {"code": "invalid_sort_by_parameter", "message": _BAD_ORDER, "extra": {}}})
        cursor, size = paging()
        text = storable(last_arg("query") or "")
        shown = store.bundles_of_project(connection, found["id"], text, order, cursor, size if last_arg("per_page") else 10)
        releases = store.releases_of(connection, [row["id"] for row in shown.rows])
        return page([serializer.render_bundle(row, releases.get(row["id"], ())) for row in shown.rows], shown.turn)


@routes.delete(_LIST)
def remove_bundle(org: str, project: str) -> Response:
    with server().reader.begin() as connection:
        _, found = enter_project(connection, org, project, DELETE)
    bundle_id = last_arg("bundleId") or ""

    def work(connection: Connection) -> bool:
        row = _find(connection, found, bundle_id)
        if row is not None:
            store.unlink_project(connection, row["id"], found["id"])
        return row is not None

    if not write(work):
        raise Refused(404, {"error": f"Supplied an invalid bundle_id {bundle_id[:100]}"})
    service().sweeper.ask()
    return empty()


def _find(connection: Connection, project: RowMapping, bundle_id: str) -> RowMapping | None:
    number = normal_id(bundle_id)
    return store.find_project_bundle(connection, project["id"], number) if number else None


def _enter(connection: Connection, org: str, project: str, bundle_id: str) -> RowMapping:
    """Raises Refused (400 for a bundle that the project has not)."""
    _, found = enter_project(connection, org, project, READ)
    row = _find(connection, found, bundle_id)
    if row is None:
        text = f"The artifact bundle with {bundle_id[:100]} is not bound to this project or doesn't exist"
        raise Refused(400, {"error": text})
    return row


@routes.get(_FILES)
def list_files(org: str, project: str, bundle_id: str) -> Response:
    with server().reader.begin() as connection:
        row = _enter(connection, org, project, bundle_id)
        cursor, size = paging()
        shown = store.files_of_bundle(connection, row["id"], storable(last_arg("query") or ""), cursor, size)
        releases = store.releases_of(connection, [row["id"]]).get(row["id"], ())
        return page(serializer.render_bundle_files(row, releases, shown.rows), shown.turn)


@routes.get(_FILES + "<file_id>/")
def download_file(org: str, project: str, bundle_id: str, file_id: str) -> Response:
    with server().reader.begin() as connection:
        bundle = _enter(connection, org, project, bundle_id)
        try:
            path = base64.urlsafe_b64decode(file_id).decode()
        except (binascii.Error, ValueError):
            raise Refused(400, {"error": f"The file_id {file_id[:100]} is invalid"}) from None
        row = store.find_path(connection, bundle["id"], path)
    if row is None:
        raise Refused(404, {"error": f"The file {path[:100]} can't be found in the artifact bundle"})
    return download(row)


@routes.get(_OLD)
def list_archives(org: str, project: str) -> Response:
    with server().reader.begin() as connection:
        _, found = enter_project(connection, org, project, READ)
        order = last_arg("sortBy") or "-date_added"
        if order not in ("date_added", "-date_added"):
            raise Refused(400, {"error": "You can either sort via 'date_added' or '-date_added'"})
        cursor, size = paging()
        size = size if last_arg("per_page") else 10
        text, is_oldest_first = storable(last_arg("query") or ""), order == "date_added"
        shown = store.archives_of_project(connection, found["id"], text, cursor, size, is_oldest_first=is_oldest_first)
        return page([serializer.render_archive(row) for row in shown.rows], shown.turn)


@routes.delete(_OLD)
def remove_release_files(org: str, project: str) -> Response:
    """Every file that was uploaded to the release `name`, as `sentry-cli releases files VERSION delete --all` asks."""
    with server().reader.begin() as connection:
        call, found = enter_project(connection, org, project, DELETE)
        row = release_store.find(connection, call.organization.id, last_arg("name") or "")
        linked = release_store.projects_of(connection, row["id"]) if row is not None else ()
    if row is None or found["id"] not in {one["id"] for one in linked}:
        raise missing()
    write(lambda connection: store.remove_files(connection, row["id"]))
    service().sweeper.ask()
    return empty()

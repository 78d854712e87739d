"""Routes of a release's own files: list, upload, show, download, rename, remove. By organization and by project."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from flask import Blueprint, Response, request
from sqlalchemy.engine import Connection, RowMapping

from releases.artifacts import uploads
from releases.artifacts.archives import LONGEST_NAME, is_plain
from releases.artifacts.blobs import TooLarge
from releases.artifacts.downloads import download
from releases.artifacts.service import service
from releases.errors import Refused, bad_request, missing
from releases.http.request import (
    Call,
    answer,
    authorise,
    empty,
    json_body,
    last_arg,
    named_projects,
    page,
    paging,
    server,
    write,
)
from releases.operations import reach
from releases.routes.project_releases import enter_project, reach_in_project
from releases.routes.uploads import refusing
from releases.serializers.artifacts import render_file
from releases.store import artifacts as store
from releases.store.search import storable
from releases.tenancy.credentials import DELETE, READ, WRITE
from releases.validation.fields import Field, record, text

routes = Blueprint("release_files", __name__)
_ORG = "/organizations/<org>/releases/<version>/files/"
_PROJECT = "/projects/<org>/<project>/releases/<version>/files/"
_ODD = re.compile(r"[\n\t\r\f\v\\]")
_RENAME = record({"name": Field(text(longest=200), required=True)})
_MOST_HEADERS = 50


@dataclass(frozen=True, slots=True)
class _Place:
    call: Call
    release: RowMapping


def _enter(connection: Connection, org: str, project: str | None, version: str, scopes: Sequence[str]) -> _Place:
    is_change = scopes is not READ
    if project is None:
        call = authorise(connection, org, scopes)
        return _Place(call, reach(connection, call, version, named=named_projects(), is_change=is_change).row)
    call, found = enter_project(connection, org, project, scopes)
    return _Place(call, reach_in_project(connection, call, found, version, is_change=is_change))


def _both(method: Callable[..., Any], address: str) -> Callable[[Callable[..., Response]], Callable[..., Response]]:
    """One function for the organization's address and the project's."""

    def decorate(function: Callable[..., Response]) -> Callable[..., Response]:
        method(_ORG + address, defaults={"project": None})(function)
        method(_PROJECT + address)(function)
        return function

    return decorate


@_both(routes.get, "")
def list_files(org: str, project: str | None, version: str) -> Response:
    with server().reader.begin() as connection:
        at = _enter(connection, org, project, version, READ)
        cursor, size = paging()
        texts, checksums = ([storable(one) for one in request.args.getlist(name)] for name in ("query", "checksum"))
        found = store.files_of_release(connection, at.release["id"], texts[:50], checksums[:50], cursor, size)
        return page([render_file(row) for row in found.rows], found.turn)


@_both(routes.post, "")
def create_file(org: str, project: str | None, version: str) -> Response:
    with server().reader.begin() as connection:
        at = _enter(connection, org, project, version, WRITE)
    file = request.files.get("file")
    if file is None:
        raise bad_request("Missing uploaded file")
    name = request.form.get("name", file.filename or "")
    if not name or name == "file":
        raise bad_request("File name must be specified")
    if _ODD.search(name.rpartition("/")[2]):
        raise bad_request("File name must not contain special whitespace characters")
    dist = request.form.get("dist", "")
    if len(name) > LONGEST_NAME or len(dist) > 64 or not is_plain(name + dist):
        raise bad_request(f"The name may have {LONGEST_NAME} characters, the dist 64")
    headers = {"Content-Type": file.mimetype or "application/octet-stream", **_read_headers(request.form.getlist("header"))}
    try:
        with refusing():
            row = uploads.keep_file(service().blobs, at.call, at.release, name, dist, headers, file.stream)
    except TooLarge as problem:
        raise Refused(413, {"detail": f"The file has {problem}"}) from problem
    if row is None:
        raise Refused(409, {"detail": "A file matching this name already exists for the given release"})
    service().sweeper.ask()
    return answer(render_file(row), 201)


def _read_headers(sent: list[str]) -> dict[str, str]:
    found: dict[str, str] = {}
    for one in sent[:_MOST_HEADERS]:
        name, colon, value = one.partition(":")
        if not colon:
            raise bad_request("header value was not formatted correctly")
        if _ODD.search(value) or not is_plain(name + value):
            raise bad_request("header value must not contain special whitespace characters")
        found[name] = value.strip()
    return found


@_both(routes.get, "<file_id>/")
def show_file(org: str, project: str | None, version: str, file_id: str) -> Response:
    with server().reader.begin() as connection:
        at = _enter(connection, org, project, version, READ)
        row = _find(connection, at, file_id)
    return answer(render_file(row)) if last_arg("download") is None else download(row)


@_both(routes.put, "<file_id>/")
def rename_file(org: str, project: str | None, version: str, file_id: str) -> Response:
    with server().reader.begin() as connection:
        at = _enter(connection, org, project, version, WRITE)
        if not file_id.isdigit():
            raise bad_request("Can only update release files with integer IDs")
        _find(connection, at, file_id)
    name = json_body(_RENAME)["name"]

    def work(connection: Connection) -> RowMapping:
        row = _find(connection, at, file_id)
        store.rename_file(connection, row["id"], name, row["dist"])
        return _find(connection, at, file_id)

    return answer(render_file(write(work)))


@_both(routes.delete, "<file_id>/")
def remove_file(org: str, project: str | None, version: str, file_id: str) -> Response:
    with server().reader.begin() as connection:
        at = _enter(connection, org, project, version, DELETE)
    write(lambda connection: store.remove_file(connection, _find(connection, at, file_id)["id"]))
    service().sweeper.ask()
    return empty()


def _find(connection: Connection, at: _Place, file_id: str) -> RowMapping:
    """Raises Refused (404)."""
    is_number = file_id.isascii() and file_id.isdigit() and len(file_id) < 19
    row = store.find_file(connection, int(file_id), at.release["id"]) if is_number else None
    if row is None:
        raise missing()
    return row

"""Routes of uploads: what may be sent, chunks, and bundles assembled of them."""

from __future__ import annotations

import json
import re
from typing import Any

from flask import Blueprint, Response, request

from releases.artifacts import uploads
from releases.artifacts.archives import is_plain
from releases.artifacts.blobs import Full
from releases.artifacts.service import service
from releases.artifacts.uploads import BadUpload, Part, State, Wanted
from releases.errors import Refused, missing
from releases.http.request import Call, answer, authorised, empty, reading, server
from releases.operations import reach
from releases.tenancy import organizations
from releases.tenancy.credentials import READ, WRITE

routes = Blueprint("uploads", __name__)
_CHUNKS = "/organizations/<org>/chunk-upload/"
_ACCEPTED = ["release_files", "artifact_bundles", "artifact_bundles_v2"]
_SHA1 = re.compile(r"[0-9a-f]{40}")
_RELATIVE = re.compile(r"sentry-cli/(\d{1,4})\.(\d{1,4})\.")
_MOST_CHUNKS = 1_000  # of one bundle
_LONGEST_BODY = 2**20


@routes.get(_CHUNKS)
def show_options(org: str) -> Response:
    with reading(org, READ) as (_, call):
        path = f"organizations/{call.organization.slug}/chunk-upload/"
    bounds = service().blobs.bounds
    version = _RELATIVE.match(request.headers.get("User-Agent", ""))
    is_relative = version is not None and (int(version[1]), int(version[2])) > (1, 70)  # a proxy may have another address
    return answer(
        {
            "url": path if is_relative else f"{request.root_url}api/0/{path}",
            "chunkSize": bounds.chunk,
            "chunksPerRequest": bounds.chunks,
            "maxFileSize": bounds.file,
            "maxRequestSize": bounds.request,
            "concurrency": 8,
            "hashAlgorithm": "sha1",
            "compression": ["gzip"],
            "accept": _ACCEPTED,
        }
    )


@routes.post(_CHUNKS)
def take_chunks(org: str) -> Response:
    call = authorised(org, WRITE)
    parts = [
        Part(name=file.filename or "", stream=file.stream, is_packed=field == "file_gzip")
        for field in ("file", "file_gzip")
        for file in request.files.getlist(field)
    ]
    if parts:
        with refusing():
            uploads.keep_chunks(service().blobs, call, parts)
        service().sweeper.ask()
    return empty(200)


@routes.post("/organizations/<org>/artifactbundle/assemble/")
def assemble_bundle(org: str) -> Response:
    call = authorised(org, WRITE)
    data = _read({"checksum", "chunks", "projects"}, {"version", "dist"})
    slugs = set(data["projects"])
    if not slugs:
        raise _refused("You need to specify at least one project")
    with server().reader.begin() as connection:
        found = organizations.find_projects(connection, call.organization.id, sorted(slugs))
    if len(found) < len(slugs):
        raise _refused("One or more projects are invalid")
    ids = {row["id"] for row in found.values()}
    if call.visible is not None and not ids <= call.visible:
        raise missing()
    if data.get("dist") and not data.get("version"):
        raise _refused("You need to specify a release together with a dist")
    return _assembled(call, _wanted(data, project_ids=ids, version=data.get("version"), dist=data.get("dist") or ""))


@routes.post("/organizations/<org>/releases/<version>/assemble/")
def assemble_release_files(org: str, version: str) -> Response:
    call = authorised(org, WRITE)
    with server().reader.begin() as connection:
        row = reach(connection, call, version, is_change=True).row
    return _assembled(call, _wanted(_read({"checksum", "chunks"}, set()), version=version, release=row))


def _wanted(data: dict[str, Any], **more: Any) -> Wanted:
    return Wanted(checksum=data["checksum"], chunks=tuple(data["chunks"]), **more)


def _assembled(call: Call, wanted: Wanted) -> Response:
    found: State = uploads.assemble(service().blobs, call, wanted)
    service().sweeper.ask()
    body: dict[str, Any] = {"state": found.state, "missingChunks": list(found.missing)}
    if found.state != uploads.NOT_FOUND:
        body["detail"] = found.detail
    return answer(body)


def _read(required: set[str], optional: set[str]) -> dict[str, Any]:
    """The body of a call to assemble. Raises Refused (400)."""
    try:
        raw = request.get_data(cache=False) if (request.content_length or 0) <= _LONGEST_BODY else b""
        data = json.loads(raw)
    except (ValueError, RecursionError):
        raise _refused("Invalid json body") from None
    if not isinstance(data, dict):
        raise _refused("the body must be an object")
    if absent := sorted(required - data.keys()):
        raise _refused(f"'{absent[0]}' is a required property")
    if extra := sorted(data.keys() - required - optional):
        raise _refused(f"Additional properties are not allowed ('{extra[0][:100]}' was unexpected)")
    for key, value in data.items():
        if fault := _fault(key, value):
            raise _refused(f"'{key}' {fault}")
    return data


def _fault(key: str, value: object) -> str | None:
    if key in ("chunks", "projects"):
        longest = _MOST_CHUNKS
        if not isinstance(value, list) or len(value) > longest or not all(isinstance(one, str) for one in value):
            return f"must be a list of at most {longest} texts"
        return None if key == "projects" or all(_SHA1.fullmatch(one) for one in value) else "must be SHA-1 sums"
    if not isinstance(value, str):
        return "must be a text"
    if key == "checksum":
        return None if _SHA1.fullmatch(value) else "must be a SHA-1 sum"
    longest = 200 if key == "version" else 64
    if not is_plain(value) or "/" in value or not len(value) <= longest or (key == "version" and not value):
        return f"must be a name of at most {longest} characters"
    return None


def _refused(text: str) -> Refused:
    return Refused(400, {"error": text})


class refusing:  # noqa: N801  reads as a verb: `with refusing():`
    """Answers for uploads that cannot be kept: 400 with its reason, 507 where there is no room."""

    def __enter__(self) -> None: ...

    def __exit__(self, kind: object, problem: BaseException | None, trace: object) -> None:
        if isinstance(problem, Full):
            raise Refused(507, {"error": str(problem)}) from problem
        if isinstance(problem, BadUpload):
            raise _refused(str(problem)) from problem

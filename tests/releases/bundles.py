"""Bundles as sentry-cli packs them, and their way to the server."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import uuid
import warnings
import zipfile
from typing import Any

from werkzeug.test import TestResponse

from tests.releases.caller import Caller

BUNDLE_ID = "5b1c3d2e-0000-4000-8000-00000000abcd"
DEBUG_ID = "8999663d-3207-5325-b9e0-5ec73da76e53"
FILES = {
    "files/a.js": (
        b"f()",
        {"url": "~/a.js", "type": "minified_source", "headers": {"debug-id": DEBUG_ID, "sourcemap": "a.js.map"}},
    ),
    "files/a.js.map": (b'{"version":3}', {"url": "~/a.js.map", "type": "source_map", "headers": {"Debug-Id": DEBUG_ID}}),
}


def packed(files: Any = None, *, extra: Any = (), listed: Any = None, **manifest: Any) -> bytes:
    """A bundle; `extra`: entries of the archive that its manifest does not name, as (name or ZipInfo, content).

    `listed`: what the manifest says of files, where that is not what there is.
    """
    files = FILES if files is None else files
    target = io.BytesIO()
    target.write(b"SYSB\x02\0\0\0")
    with warnings.catch_warnings(), zipfile.ZipFile(target, "a", zipfile.ZIP_DEFLATED) as archive:
        warnings.simplefilter("ignore")  # of a name that stands in it twice
        for path, (content, _) in files.items():
            archive.writestr(path, content)
        for name, content in extra:
            archive.writestr(name, content)
        told = {path: about for path, (_, about) in files.items()} if listed is None else listed
        about = {"files": told, "debug_id": BUNDLE_ID, **manifest}
        archive.writestr("manifest.json", json.dumps(about))
    return target.getvalue()


def sha1(content: bytes) -> str:
    return hashlib.sha1(content, usedforsecurity=False).hexdigest()


def form(*parts: tuple[str, str | None, bytes]) -> tuple[bytes, str]:
    """(body, content type) of (field, file name or None, content)."""
    mark = uuid.uuid4().hex
    body = b""
    for field, name, content in parts:
        file = f'; filename="{name}"\r\nContent-Type: application/octet-stream' if name is not None else ""
        body += f'--{mark}\r\nContent-Disposition: form-data; name="{field}"{file}\r\n\r\n'.encode() + content + b"\r\n"
    return body + f"--{mark}--\r\n".encode(), f"multipart/form-data; boundary={mark}"


def send(api: Caller, path: str, *parts: tuple[str, str | None, bytes]) -> TestResponse:
    body, kind = form(*parts)
    return api.call("POST", path, raw=body, Content_Type=kind)


def chunks_of(content: bytes, size: int = 64 * 1024) -> list[bytes]:
    return [content[start : start + size] for start in range(0, len(content), size)] or [b""]


def send_chunks(api: Caller, content: bytes, *, is_packed: bool = False) -> list[str]:
    """Their SHA-1 sums."""
    for chunk in chunks_of(content):
        field, sent = ("file_gzip", gzip.compress(chunk)) if is_packed else ("file", chunk)
        answer = send(api, "chunk-upload/", (field, sha1(chunk), sent))
        assert answer.status_code == 200, answer.text
    return [sha1(chunk) for chunk in chunks_of(content)]


def assemble(api: Caller, content: bytes, *, path: str = "artifactbundle/assemble/", **body: Any) -> Any:
    """What the server says of a bundle: its state, and why."""
    asked = {"checksum": sha1(content), "chunks": [sha1(chunk) for chunk in chunks_of(content)]}
    more = {} if "assemble/" in path and path.startswith("releases/") else {"projects": ["shop"]}
    answer = api.post(path, {**asked, **more, **body})
    assert answer.status_code == 200, answer.text
    return answer.json


def upload(api: Caller, content: bytes, **more: Any) -> Any:
    send_chunks(api, content)
    return assemble(api, content, **more)

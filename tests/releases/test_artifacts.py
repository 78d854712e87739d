"""Uploads: chunks, bundles, files of a release; what is refused, and that nothing of it is kept."""

from __future__ import annotations

import io
import os
import stat
import threading
import zipfile
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.engine import Engine

from releases.app import create_app
from releases.artifacts import service
from releases.artifacts.bounds import read_settings
from releases.tables.artifacts import artifacts, blobs, chunks
from shared.config.settings import from_env
from shared.errors import SettingsError
from tests.releases.bundles import BUNDLE_ID, DEBUG_ID, FILES, assemble, packed, send, send_chunks, sha1, upload
from tests.releases.caller import Caller
from tests.releases.conftest import SMALL, TOKEN

BUNDLES = "/api/0/projects/acme/shop/files/artifact-bundles/"
INSIDE = f"/api/0/projects/acme/shop/artifact-bundles/{BUNDLE_ID}/files/"
PUMP = "/api/0/projects/acme/pump-station/"
OK = {"state": "ok", "missingChunks": [], "detail": None}


def stored(tmp_path: Path) -> list[Path]:
    return [path for path in (tmp_path / "artifacts").rglob("*") if path.is_file()]


def test_what_may_be_sent_is_announced(api: Caller) -> None:
    found = api.get("chunk-upload/").json
    assert found["url"] == "http://localhost/api/0/organizations/acme/chunk-upload/"
    assert (found["chunkSize"], found["chunksPerRequest"], found["maxRequestSize"]) == (64 * 1024, 4, 128 * 1024)
    assert (found["hashAlgorithm"], found["compression"]) == ("sha1", ["gzip"])
    for agent in ("sentry-cli/2.58.6", "sentry-cli/3.8.0"):
        assert api.get("chunk-upload/", User_Agent=agent).json["url"] == "organizations/acme/chunk-upload/"


@pytest.mark.parametrize("is_packed", [False, True])
def test_a_bundle_is_listed_and_given_back_byte_for_byte(either_api: Caller, is_packed: bool) -> None:
    content = packed()
    missing = assemble(either_api, content, version="1.0", dist="d")
    assert missing == {"state": "not_found", "missingChunks": [sha1(content)]}
    send_chunks(either_api, content, is_packed=is_packed)
    for _ in range(2):  # the same again is as good
        assert assemble(either_api, content, version="1.0", dist="d") == OK
    (bundle,) = either_api.get(BUNDLES).json
    assert (bundle["bundleId"], bundle["fileCount"]) == (BUNDLE_ID, 2)
    assert bundle["associations"] == [{"release": "1.0", "dist": "d"}]
    files = either_api.get(INSIDE).json["files"]
    assert [(one["filePath"], one["fileType"], one["debugId"]) for one in files] == [
        ("~/a.js", 2, DEBUG_ID),
        ("~/a.js.map", 3, DEBUG_ID),
    ]
    for one, (sent, _) in zip(files, FILES.values(), strict=True):
        answer = either_api.get(f"{INSIDE}{one['id']}/")
        assert (answer.data, answer.headers["Content-Disposition"][:10]) == (sent, "attachment")
        assert answer.content_type == "application/octet-stream"


@pytest.mark.parametrize(
    ("query", "count"), [("1.0", 1), ("d", 1), (BUNDLE_ID, 1), (DEBUG_ID, 1), ("1", 0), ("", 1), ("2.0", 0)]
)
def test_bundles_are_found_by_release_dist_and_ids(api: Caller, query: str, count: int) -> None:
    upload(api, packed(), version="1.0", dist="d")
    assert len(api.get(f"{BUNDLES}?query={query}").json) == count


def test_a_release_bundle_becomes_files_of_the_release(either_api: Caller) -> None:
    either_api.made()
    content = packed(org="acme", release="1.0", dist="x")
    assert upload(either_api, content, path="releases/1.0/assemble/") == OK
    assert assemble(either_api, content, path="releases/1.0/assemble/") == OK
    found = either_api.get("releases/1.0/files/").json
    assert [(one["name"], one["dist"], one["size"]) for one in found] == [("~/a.js", "x", 3), ("~/a.js.map", "x", 13)]
    assert found[0]["headers"] == FILES["files/a.js"][1]["headers"]
    assert either_api.get(f"releases/1.0/files/{found[0]['id']}/?download=1").data == b"f()"
    meta = either_api.get("releases/1.0/meta/").json
    assert (meta["releaseFileCount"], meta["isArtifactBundle"]) == (2, False)


@pytest.mark.parametrize(
    ("manifest", "detail"),
    [
        ({"org": "other", "release": "1.0"}, "organization does not match uploaded bundle"),
        ({"org": "acme", "release": "2.0"}, "release does not match uploaded bundle"),
    ],
)
def test_a_release_bundle_must_be_the_releases_own(api: Caller, manifest: Any, detail: str) -> None:
    api.made()
    found = upload(api, packed(**manifest), path="releases/1.0/assemble/")
    assert (found["state"], found["detail"]) == ("error", detail)
    assert api.get("releases/1.0/files/").json == []


@pytest.mark.parametrize("base", ["releases/1.0/files/", "/api/0/projects/acme/shop/releases/1.0/files/"])
def test_a_single_file(either_api: Caller, base: str) -> None:
    either_api.made()
    parts = (
        ("name", None, b"~/x.js"),
        ("header", None, b"Sourcemap: x.js.map"),
        ("dist", None, b"d"),
        ("file", "x.js", b"code"),
    )
    answer = send(either_api, base, *parts)
    assert (answer.status_code, answer.json["name"], answer.json["sha1"]) == (201, "~/x.js", sha1(b"code"))
    assert answer.json["headers"] == {"Content-Type": "application/octet-stream", "Sourcemap": "x.js.map"}
    assert send(either_api, base, *parts).status_code == 409
    one = f"{base}{answer.json['id']}/"
    assert either_api.get(one).json == answer.json
    assert either_api.get(f"{one}?download=1").data == b"code"
    assert either_api.put(one, {"name": "~/y.js"}).json["name"] == "~/y.js"
    for query, count in (("query=Y.J", 1), ("query=z", 0), (f"checksum={sha1(b'code')}", 1), ("checksum=x", 0)):
        assert len(either_api.get(f"{base}?{query}").json) == count
    assert either_api.delete(one).status_code == 204
    assert either_api.get(one).status_code == 404


@pytest.mark.parametrize(
    ("parts", "detail"),
    [
        ([], "Missing uploaded file"),
        ([("file", "file", b"x")], "File name must be specified"),
        ([("file", "a", b"x"), ("name", None, b"~/a\tb")], "File name must not contain special whitespace characters"),
        ([("file", "a", b"x"), ("header", None, b"none")], "header value was not formatted correctly"),
        ([("file", "a", b"x"), ("header", None, b"a:\tb\\")], "header value must not contain special whitespace characters"),
    ],
)
def test_a_refused_file(api: Caller, tmp_path: Path, parts: Any, detail: str) -> None:
    api.made()
    answer = send(api, "releases/1.0/files/", *(parts or [("other", None, b"")]))
    assert (answer.status_code, answer.json, stored(tmp_path)) == (400, {"detail": detail}, [])


REFUSED_CHUNKS = [
    ([("file", "0" * 40, b"x")], "Checksum mismatch"),
    ([("file", sha1(b"x"), b"x"), ("file", "0" * 40, b"y")], "Checksum mismatch"),
    ([("file", sha1(b"x" * 65_537), b"x" * 65_537)], "Chunk size too large"),
    ([("file", sha1(b"x" * 50_000), b"x" * 50_000)] * 3, "Request too large"),
    ([("file", sha1(b"x"), b"x")] * 5, "Too many chunks"),
    ([("file_gzip", sha1(b"x"), b"no gzip")], "Invalid gzip content"),
]


@pytest.mark.parametrize(("parts", "error"), REFUSED_CHUNKS)
def test_refused_chunks_leave_nothing(api: Caller, database: Engine, tmp_path: Path, parts: Any, error: str) -> None:
    answer = send(api, "chunk-upload/", *parts)
    assert (answer.status_code, answer.json) == (400, {"error": error})
    with database.connect() as connection:
        assert connection.execute(sa.select(chunks)).all() == []
    assert stored(tmp_path) == []


def _link(name: str, kind: int) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo(name)
    info.external_attr = (kind | 0o777) << 16
    return info


def _zip64() -> bytes:
    content = packed()
    return content[:-22] + b"PK\x06\x07" + b"\0" * 16 + content[-22:]


def _broken() -> bytes:
    content = packed({"a": (b"hello hello", {})})
    checksum = zipfile.ZipFile(io.BytesIO(content)).getinfo("a").CRC.to_bytes(4, "little")
    return content.replace(checksum, b"\xff\xff\xff\xff")


HOSTILE = {
    "no archive": b"nothing",
    "absolute": packed(extra=[("/etc/passwd", b"")]),
    "parent": packed(extra=[("a/../../b", b"")]),
    "backslash": packed(extra=[("..\\b", b"")]),
    "drive": packed(extra=[("C:/b", b"")]),
    "symlink": packed(extra=[(_link("l", stat.S_IFLNK), b"/etc/passwd")]),
    "device": packed(extra=[(_link("l", stat.S_IFCHR), b"")]),
    "twice": packed(extra=[("files/a.js", b"other")]),
    "bomb": packed(extra=[("zeros", b"\0" * (2**20 + 1))]),
    "too many": packed(extra=[(f"f{number}", b"") for number in range(30)]),
    "64 bit": _zip64(),
    "wrong sum": _broken(),
    "no manifest": packed()[:60] + packed()[60:].replace(b"manifest.json", b"manifest.jsox"),
    "unnamed": packed({}, listed={"b": {}}),
    "files is a list": packed({}, listed=[]),
    "headers are numbers": packed({"a": (b"", {"headers": {"a": 1}})}),
    "odd address": packed({"a": (b"", {"url": "~/a\u0000b"})}),
    "long address": packed({"a": (b"", {"url": "x" * 1_025})}),
}


@pytest.mark.parametrize("kind", HOSTILE)
def test_hostile_archives_are_refused_and_nothing_is_kept(api: Caller, database: Engine, tmp_path: Path, kind: str) -> None:
    content = HOSTILE[kind]
    send_chunks(api, content)
    before = stored(tmp_path)
    found = assemble(api, content, version="1.0")
    assert found["state"] == "error", found
    assert found["detail"]
    assert stored(tmp_path) == before
    with database.connect() as connection:
        assert connection.execute(sa.select(artifacts)).all() == []
    assert api.get(BUNDLES).json == []


def test_a_bundle_that_is_not_what_it_is_said_to_be(api: Caller) -> None:
    content = packed()
    send_chunks(api, content)
    found = api.post("artifactbundle/assemble/", {"checksum": "0" * 40, "chunks": [sha1(content)], "projects": ["shop"]}).json
    assert (found["state"], found["detail"]) == ("error", "Reported checksum mismatch")


@pytest.mark.parametrize(
    ("body", "error"),
    [
        ({}, "'checksum' is a required property"),
        ([], "the body must be an object"),
        ({"checksum": "a" * 40, "chunks": [], "projects": []}, "You need to specify at least one project"),
        ({"checksum": "a" * 40, "chunks": [], "projects": ["nosuch"]}, "One or more projects are invalid"),
        ({"checksum": "A" * 40, "chunks": [], "projects": ["shop"]}, "'checksum' must be a SHA-1 sum"),
        ({"checksum": "a" * 40, "chunks": ["x"], "projects": ["shop"]}, "'chunks' must be SHA-1 sums"),
        (
            {"checksum": "a" * 40, "chunks": [], "projects": ["shop"], "x": 1},
            "Additional properties are not allowed ('x' was unexpected)",
        ),
        (
            {"checksum": "a" * 40, "chunks": [], "projects": ["shop"], "dist": "d"},
            "You need to specify a release together with a dist",
        ),
        (
            {"checksum": "a" * 40, "chunks": [], "projects": ["shop"], "version": "a/b"},
            "'version' must be a name of at most 200 characters",
        ),
    ],
)
def test_a_refused_call_to_assemble(api: Caller, body: Any, error: str) -> None:
    answer = api.post("artifactbundle/assemble/", body)
    assert (answer.status_code, answer.json) == (400, {"error": error})


def test_bounds_of_a_release_and_the_quota(database: Engine, api: Caller, tmp_path: Path) -> None:
    api.made()
    for number in range(10):
        assert upload(api, packed(org="acme", release="1.0", dist=str(number)), path="releases/1.0/assemble/") == OK
    found = upload(api, packed(org="acme", release="1.0", dist="x"), path="releases/1.0/assemble/")
    assert (found["state"], found["detail"]) == ("error", "A release may have 20 files; this one has 20")
    with database.connect() as connection:
        used = connection.execute(sa.select(sa.func.sum(blobs.c.size))).scalar_one()
    for bounds, error in (
        (replace(SMALL, quota=used), f"the quota of {used} bytes for artifacts is used up"),
        (replace(SMALL, free=2**60), f"the disk must keep {2**60} bytes free"),
    ):
        app = create_app(database, kept=(tmp_path / "artifacts", bounds))
        answer = send(Caller(app, TOKEN), "chunk-upload/", ("file", sha1(b"new"), b"new"))
        assert (answer.status_code, answer.json) == (507, {"error": error})
        app.stop()


def test_a_content_is_kept_once_and_removed_with_its_release(either_api: Caller, tmp_path: Path) -> None:
    for version in ("1.0", "2.0"):
        either_api.made(version)
        upload(either_api, packed(release=version, debug_id=None), version=version)
        send(either_api, f"releases/{version}/files/", ("file", "~/a.js", b"f()"))
    contents = [path.read_bytes() for path in stored(tmp_path)]
    assert (len(contents), contents.count(b"f()")) == (4, 1)  # two bundles as sent, two files
    for version in ("1.0", "2.0"):
        assert either_api.delete(f"releases/{version}/").status_code == 204
    assert either_api.get(BUNDLES).json == []
    sweeper = either_api.app.sweeper
    assert sweeper is not None
    sweeper.stop()
    sweeper._clock = lambda: datetime.now(UTC) + timedelta(hours=7)
    assert sweeper.sweep() == 4
    assert stored(tmp_path) == []


def test_the_sweep_leaves_what_is_named_and_takes_strays(api: Caller, tmp_path: Path) -> None:
    upload(api, packed(), version="1.0")
    stray = tmp_path / "artifacts" / "aa" / ("a" * 64 + ".00000000")
    half = tmp_path / "artifacts" / "tmp" / "half"
    stray.parent.mkdir(exist_ok=True)
    for path in (stray, half):
        path.write_bytes(b"x")
    sweeper = api.app.sweeper
    assert sweeper is not None
    sweeper.stop()
    assert sweeper.sweep() == 0
    for path in (stray, half):
        os.utime(path, (0, 0))
    sweeper._clock = lambda: datetime.now(UTC) + timedelta(hours=7)
    assert sweeper.sweep() == 2  # the bundle as sent, and the stray
    assert not stray.exists()
    assert not half.exists()
    assert api.get(f"{INSIDE}{api.get(INSIDE).json['files'][0]['id']}/").data == b"f()"


def test_two_at_once_make_one_bundle(either_api: Caller) -> None:
    content = packed()
    send_chunks(either_api, content)
    found: list[Any] = []
    threads = [threading.Thread(target=lambda: found.append(assemble(either_api, content, version="1.0"))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [OK] * 4
    assert len(either_api.get(BUNDLES).json) == 1


def test_a_bundle_is_taken_from_a_project_and_goes_with_the_last(api: Caller) -> None:
    upload(api, packed(), version="1.0", projects=["shop", "pump-station"])
    gone = f"{BUNDLES}?bundleId={BUNDLE_ID}"
    assert api.delete(gone).status_code == 204
    assert (api.get(BUNDLES).json, len(api.get(f"{PUMP}files/artifact-bundles/").json)) == ([], 1)
    assert api.delete(gone).status_code == 404
    assert api.delete(gone.replace("shop", "pump-station")).status_code == 204
    assert api.get(f"{PUMP}files/artifact-bundles/").json == []


def test_releases_are_listed_with_their_numbers_of_files(api: Caller) -> None:
    path = "/api/0/projects/acme/shop/files/source-maps/"
    for version in ("1.0", "1.1", "2.0"):
        api.made(version)
    api.made("other", projects=["pump-station"])
    upload(api, packed(org="acme", release="1.1"), path="releases/1.1/assemble/")
    upload(api, packed(), version="2.0")
    first = api.get(path).json
    assert [(one["name"], one["fileCount"]) for one in first] == [("2.0", -1), ("1.1", 2), ("1.0", -1)]
    assert (first[1]["type"], first[1]["date"]) == ("release", api.shown("1.1")["dateCreated"])
    assert [one["name"] for one in api.get(f"{path}?query=1.&sortBy=date_added").json] == ["1.0", "1.1"]
    page = api.get(f"{path}?per_page=2")
    assert [one["name"] for one in page.json] == ["2.0", "1.1"]
    assert 'rel="next"; results="true"' in page.headers["Link"]
    assert api.get(f"{path}?sortBy=name").json == {"error": "You can either sort via 'date_added' or '-date_added'"}


def test_the_files_of_a_release_are_removed_at_once(api: Caller) -> None:
    api.made()
    send(api, "releases/1.0/files/", ("file", "~/a.js", b"f()"))
    assert api.delete("/api/0/projects/acme/pump-station/files/source-maps/?name=1.0").status_code == 404
    assert api.delete("/api/0/projects/acme/shop/files/source-maps/?name=1.0").status_code == 204
    assert api.get("releases/1.0/files/").json == []


def test_a_limited_credential_reaches_no_file_of_another_project(api: Caller, grant: Callable[..., Caller]) -> None:
    api.made(projects=["pump-station"])
    number = send(api, "releases/1.0/files/", ("file", "~/a.js", b"f()")).json["id"]
    upload(api, packed(), version="1.0", projects=["pump-station"])
    limited = grant(projects=["shop"])
    for path in ("releases/1.0/files/", f"releases/1.0/files/{number}/", f"releases/1.0/files/{number}/?download=1"):
        assert limited.get(path).status_code == 404
    assert send(limited, "releases/1.0/files/", ("file", "b", b"x")).status_code == 404
    assert limited.delete(f"releases/1.0/files/{number}/").status_code == 404
    body = {"checksum": "a" * 40, "chunks": [], "projects": ["pump-station"]}
    assert limited.post("artifactbundle/assemble/", body).status_code == 404
    assert limited.get(f"{PUMP}files/artifact-bundles/").status_code == 403
    assert limited.get(BUNDLES).json == []


def test_chunks_belong_to_their_organization(api: Caller, grant: Callable[..., Caller]) -> None:
    content = packed()
    send_chunks(api, content)
    other = grant(org="other", projects=["foreign"])
    found = assemble(other, content, projects=["foreign"])
    assert found == {"state": "not_found", "missingChunks": [sha1(content)]}
    assert api.call("GET", "/api/0/organizations/other/chunk-upload/").status_code == 403


@pytest.mark.parametrize(
    ("scopes", "seen", "sent"),
    [(("project:read",), 200, 403), (("project:releases",), 200, 200), (("org:ci",), 200, 200), (("org:read",), 403, 403)],
)
def test_scopes(grant: Callable[..., Caller], scopes: Any, seen: int, sent: int) -> None:
    caller = grant(scopes=scopes)
    assert caller.get("chunk-upload/").status_code == seen
    assert send(caller, "chunk-upload/", ("file", sha1(b"x"), b"x")).status_code == sent


def test_the_pages_show_files_with_links_to_save_them(api: Caller) -> None:
    api.made()
    send(api, "releases/1.0/files/", ("file", "~/a.html", b"<script>alert(1)</script>"))
    upload(api, packed(), version="1.0")
    shown = api.call("GET", "/organizations/acme/releases/1.0/").text
    for text in ("3 files", "~/a.html", "~/a.js.map", "source map", "minified source"):
        assert text in shown
    assert "3 uploaded files" in api.call("GET", "/organizations/acme/releases/").text
    number = api.get("releases/1.0/files/").json[0]["id"]
    answer = api.call("GET", f"/organizations/acme/releases/1.0/files/{number}/")
    assert (answer.data, answer.content_type) == (b"<script>alert(1)</script>", "application/octet-stream")
    assert answer.headers["Content-Disposition"].startswith("attachment")
    assert "sandbox" in answer.headers["Content-Security-Policy"]


def test_settings(tmp_path: Path) -> None:
    found = read_settings(from_env({"DATA_DIR": str(tmp_path), "RELEASES_ARTIFACTS_QUOTA": "5G"}))
    assert found is not None
    assert (found[0], found[1].quota) == (tmp_path / "artifacts", 5 * 2**30)
    assert read_settings(from_env({"RELEASES_ARTIFACTS_QUOTA": "0"})) is None
    with pytest.raises(SettingsError):
        read_settings(from_env({"RELEASES_ARTIFACTS_QUOTA": "much"}))


def test_without_a_quota_there_are_no_uploads(database: Engine, api: Caller) -> None:
    app = create_app(database)
    assert service.KEY not in app.extensions
    assert Caller(app, TOKEN).get("chunk-upload/").status_code == 404
    app.stop()

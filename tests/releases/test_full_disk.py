"""A disk that becomes full at every point of an upload: a clear answer, nothing half is listed, and it works again later.

Needs root, to mount a disk of its own in memory.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa
from sqlalchemy.engine import Engine
from werkzeug.test import TestResponse

from releases import bootstrap
from releases.app import ReleasesApp, create_app
from releases.tables.artifacts import blobs, bundles
from shared.config.settings import from_env
from tests.releases.bundles import chunks_of, packed, send, sha1
from tests.releases.caller import Caller
from tests.releases.conftest import ENVIRON, SMALL, own_copy

pytestmark = [pytest.mark.world, pytest.mark.skipif(os.geteuid() != 0, reason="only root may mount a disk")]
DISK = 2**22
CONTENT = packed({f"files/{name}.js": (os.urandom(20_000), {"url": f"~/{name}.js"}) for name in "abcd"})
PAGE = os.sysconf("SC_PAGE_SIZE")


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    folder = tmp_path / "disk"
    folder.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={DISK}", "tmpfs", folder], check=False).returncode:
        pytest.skip("this machine lets nobody mount a disk")
    yield folder
    subprocess.run(["umount", "--lazy", folder], check=True)


@pytest.fixture(params=["elsewhere", "on the disk"])
def database(request: pytest.FixtureRequest, template: Path, disk: Path, tmp_path: Path) -> Iterator[Engine]:
    """The database: of the disk, or beside it."""
    engine = own_copy(template, tmp_path if request.param == "elsewhere" else disk)
    bootstrap.seed(engine, from_env(ENVIRON))
    yield engine
    engine.dispose()


@pytest.fixture
def app(database: Engine, disk: Path) -> Iterator[ReleasesApp]:
    made = create_app(database, kept=(disk / "artifacts", SMALL))
    yield made
    made.stop()


def fill(disk: Path, left: int) -> None:
    """Leave so many bytes of it."""
    filler = disk / "filler"
    filler.unlink(missing_ok=True)
    with filler.open("wb") as file:
        os.posix_fallocate(file.fileno(), 0, max(os.statvfs(disk).f_bavail * PAGE - left, 1))


def test_wherever_an_upload_meets_a_full_disk(disk: Path, database: Engine, api: Caller) -> None:
    api.made()
    sums, single = [sha1(chunk) for chunk in chunks_of(CONTENT)], os.urandom(50_000)
    asked = {"checksum": sha1(CONTENT), "chunks": sums, "projects": ["shop"]}
    steps: dict[str, Callable[[], tuple[int, str]]] = {
        "chunks": lambda: told(send(api, "chunk-upload/", *(("file", sha1(one), one) for one in chunks_of(CONTENT)))),
        "bundle": lambda: told(api.post("artifactbundle/assemble/", asked)),
        "file": lambda: told(send(api, "releases/1.0/files/", ("name", None, b"x.js"), ("file", "x.js", single))),
    }
    refused = dict.fromkeys(steps, 0)
    for step, take in steps.items():
        for left in range(0, DISK, PAGE):
            fill(disk, left)
            status, text = take()
            if status != 507 and '"state":"error"' not in text:
                break
            refused[step] += 1
            assert any(word in text for word in ("full", "bytes free")), text
            assert listed(database) == before(step), "nothing half"
            assert api.shown()["version"] == "1.0", "the service lives"
        assert (status, "error" in text) == (201 if step == "file" else 200, False), (left, text)
        (disk / "filler").unlink()
    assert min(refused.values()) > 3, refused
    (bundle,) = api.get("/api/0/projects/acme/shop/files/artifact-bundles/").json
    assert bundle["fileCount"] == 4
    (file,) = api.get("releases/1.0/files/").json
    assert api.get(f"releases/1.0/files/{file['id']}/?download=1").data == single
    kept = [path for path in (disk / "artifacts").rglob("*") if path.is_file()]
    with database.connect() as connection:
        assert len(kept) == connection.execute(sa.select(sa.func.count()).select_from(blobs)).scalar_one()


def told(answer: TestResponse) -> tuple[int, str]:
    return answer.status_code, answer.text


def before(step: str) -> tuple[int, int]:
    """(bundles, contents) when a step begins."""
    return {"chunks": (0, 0), "bundle": (0, 2), "file": (1, 6)}[step]


def listed(database: Engine) -> tuple[int, int]:
    with database.connect() as connection:
        made, kept = (
            connection.execute(sa.select(sa.func.count()).select_from(table)).scalar_one() for table in (bundles, blobs)
        )
    return made, kept

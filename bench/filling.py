"""Fills a ledger with N deliveries and all that hangs on them, as ninety days of a busy team would leave it.

Straight into the tables (COPY on PostgreSQL, one prepared statement on SQLite), so a million takes minutes. The same seed
makes the same mix. Call it on an empty, migrated ledger.
"""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Engine

from bench.made_up import Delivery, Team
from shared.domain.histogram import bucket_of
from shared.domain.push import Repository
from shared.ledger import repositories, rollups
from shared.ledger.reporting_tables import audit, tally_marks
from shared.ledger.reporting_tables import tallies as tally_table
from shared.ledger.retention import KEEP_DELIVERIES, KEEP_PAYLOADS
from shared.ledger.tables import attempts, deliveries, jobs, payloads

_BATCH = 10_000  # deliveries
_PUSHES_KEPT = 20

Row = Mapping[str, Any]
Tell = Callable[[int], object]  # is told how many deliveries are in


@dataclass(slots=True)
class Filled:
    """How many rows each table got, and an id of each kind for pages that show one thing."""

    rows: Counter[str] = field(default_factory=Counter)
    deliveries: dict[str, str] = field(default_factory=dict)  # by status
    jobs: dict[str, str] = field(default_factory=dict)  # by state


def fill(
    engine: Engine,
    number: int,
    *,
    targets: Sequence[str] = ("main", "eu"),
    repository_count: int = 500,
    seed: int = 1,
    end: datetime | None = None,
    tell: Tell = lambda _: None,
) -> Filled:
    """Deliveries spread evenly over the ninety days before `end` (now); the newest thirty days with payloads and exchanges.

    Also the tallies and the known repositories that the sweeper would have folded from them, and an audit line for each
    hundred deliveries.
    """
    end = end or datetime.now(UTC)
    team = Team(targets, repository_count, seed)
    keep_from = end - KEEP_PAYLOADS
    made = Filled()
    folding = _Folding()
    with Writer(engine) as writer:
        for start in range(0, number, _BATCH):
            batch = [
                team.delivery(seq, at, is_fresh=seq > number * 0.999, is_recent=at > keep_from)
                for seq in range(start + 1, min(start + _BATCH, number) + 1)
                for at in (_moment(seq, number, end),)
            ]
            for one in batch:
                folding.take(one)
                made.deliveries[one.delivery["status"]] = one.delivery["delivery_id"]
                made.jobs.update({job["status"]: job["id"] for job in one.jobs})
            made.rows["deliveries"] += writer.write(deliveries, (one.delivery for one in batch))
            made.rows["payloads"] += writer.write(payloads, (team.payload(one) for one in batch if one.at > keep_from))
            made.rows["jobs"] += writer.write(jobs, (job for one in batch for job in one.jobs))
            made.rows["attempts"] += writer.write(attempts, (tried for one in batch for tried in one.attempts))
            made.rows["audit"] += writer.write(audit, (_audit_line(one) for one in batch[::100]))
            tell(start + len(batch))
    _finish(engine, folding, end)
    return made


def _moment(seq: int, number: int, end: datetime) -> datetime:
    """Evenly, and the newest a minute old: what is folded trails the present."""
    return end - timedelta(minutes=1) - (KEEP_DELIVERIES - timedelta(hours=1)) * (1 - seq / number)


def _audit_line(one: Delivery) -> Row:
    return {
        "at": one.at,
        "door": "dashboard",
        "role": "operator",
        "address": "10.0.0.7",
        "action": "delivery_replay",
        "subject": one.delivery["delivery_id"],
        "detail": {},
    }


class _Folding:
    """What the sweeper would have counted."""

    def __init__(self) -> None:
        self.fold = rollups.Fold()

    def take(self, one: Delivery) -> None:
        fold = self.fold
        fold.count(one.at, "deliveries", one.delivery["status"])
        for step in one.delivery["why"] or ():
            if step["matched"]:
                fold.count(one.at, "rules", step["rule"])
        key = Repository(one.delivery["provider"], one.delivery["repository"])
        if one.delivery["ref"] is not None:
            pushes = fold.pushes[key]
            pushes.append(one.at)
            del pushes[:-_PUSHES_KEPT]
        for tried in one.attempts:
            ended = tried["finished_at"]
            fold.count(ended, "attempts", tried["outcome"])
            fold.time(ended, "attempt_seconds", (ended - tried["started_at"]).total_seconds())
            if tried["outcome"] == "succeeded":
                fold.time(ended, "release_seconds", (ended - one.at).total_seconds())
                fold.releases[key] = (ended, one.jobs[0]["version"])
        key_of_time = (rollups.hour_of(one.at), ("accept_seconds", "", bucket_of(0.004)))
        fold.numbers[key_of_time] += 1
        fold.seconds[key_of_time] += 0.004


def _finish(engine: Engine, folding: _Folding, end: datetime) -> None:
    """Tallies of the hours that the sweeper keeps, what is known of repositories, and statistics as autovacuum makes them."""
    with engine.begin() as connection:
        rollups.add(connection, folding.fold)
        hour = tally_table.c.hour
        connection.execute(tally_table.delete().where(hour > rollups.ALL_TIME, hour < end - rollups.KEEP_HOURS))
        repositories.note(connection, folding.fold.pushes, folding.fold.releases)
        connection.execute(tally_marks.insert().values(name=rollups.MARK, until=end))
    if engine.dialect.name == "postgresql":
        with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.exec_driver_sql(
                "SELECT setval(pg_get_serial_sequence('deliveries', 'seq'), (SELECT max(seq) FROM deliveries))"
            )
            connection.exec_driver_sql("VACUUM ANALYZE")


class Writer:
    """`with Writer(engine) as writer`: rows go in by the fastest way that each database knows."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._is_postgresql = engine.dialect.name == "postgresql"

    def __enter__(self) -> Writer:
        self._raw = self._engine.raw_connection()
        if not self._is_postgresql:  # nobody reads it yet, and a power cut just means filling again
            self._raw.cursor().execute("PRAGMA synchronous=OFF")
            self._raw.cursor().execute("PRAGMA cache_size=-400000")
        return self

    def __exit__(self, *_: object) -> None:
        self._raw.invalidate()  # its settings must not come back from the pool
        self._raw.close()

    def write(self, table: sa.Table, rows: Iterator[Row]) -> int:
        """How many there were. Columns that the first row lacks are left to the database."""
        first = next(rows, None)
        if first is None:
            return 0
        names = list(first)
        bound = [self._bound(table.c[name]) for name in names]
        values = (
            tuple(bind(row[name]) for name, bind in zip(names, bound, strict=True)) for row in itertools.chain([first], rows)
        )
        number = self._copy(table.name, names, values) if self._is_postgresql else self._insert(table.name, names, values)
        self._raw.commit()
        return number

    def _copy(self, table: str, names: Sequence[str], values: Iterator[tuple[Any, ...]]) -> int:
        columns = ", ".join(f'"{name}"' for name in names)
        cursor: Any = self._raw.cursor()
        with cursor.copy(f"COPY {table} ({columns}) FROM STDIN") as copy:
            for row in values:
                copy.write_row(row)
        return int(cursor.rowcount)

    def _insert(self, table: str, names: Sequence[str], values: Iterator[tuple[Any, ...]]) -> int:
        columns, marks = ", ".join(f'"{name}"' for name in names), ", ".join("?" * len(names))
        cursor: Any = self._raw.cursor()
        cursor.execute("BEGIN")
        cursor.executemany(f"INSERT INTO {table} ({columns}) VALUES ({marks})", values)
        return int(cursor.rowcount)

    def _bound(self, column: sa.Column[Any]) -> Callable[[Any], Any]:
        """How SQLAlchemy would hand a value of this column to the driver."""
        processor = column.type.dialect_impl(self._engine.dialect).bind_processor(self._engine.dialect)
        return processor if processor is not None else lambda value: value

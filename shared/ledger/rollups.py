"""Folds what happened into a few rows an hour, so that charts and metrics cost the same however much is stored.

The sweeper folds in small windows behind the present; a mark says how far it has come, and moving it is part of the same
transaction, so several sweepers count nothing twice. Figures trail the present by LATENESS, for a transaction that is
still under way carries an earlier time.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, cast

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Engine
from sqlalchemy.exc import IntegrityError

from shared.domain.histogram import bucket_of
from shared.domain.push import Repository
from shared.domain.rules import Source
from shared.infra.database import reading, upsert
from shared.ledger import repositories
from shared.ledger.reporting_tables import tallies, tally_marks
from shared.ledger.rows import TallyRow
from shared.ledger.tables import attempts, deliveries, jobs

ALL_TIME = datetime(1970, 1, 1, tzinfo=UTC)
LATENESS = timedelta(seconds=20)
KEEP_HOURS = timedelta(days=8)
_WINDOW = timedelta(minutes=1)
MARK = "ledger"
_EVERY = timedelta(seconds=5)
_MOST_WINDOWS = 60  # folded in one step of the sweeper

Key = tuple[str, str, int]  # series, label, bucket


@dataclass(slots=True)
class Fold:
    """What one window adds."""

    numbers: Counter[tuple[datetime, Key]] = field(default_factory=Counter)
    seconds: defaultdict[tuple[datetime, Key], float] = field(default_factory=lambda: defaultdict(float))
    pushes: defaultdict[Repository, list[datetime]] = field(default_factory=lambda: defaultdict(list))
    releases: dict[Repository, tuple[datetime, str]] = field(default_factory=dict)

    def count(self, at: datetime, series: str, label: str) -> None:
        self.numbers[hour_of(at), (series, label[:200], 0)] += 1

    def time(self, at: datetime, series: str, seconds: float) -> None:
        key = (hour_of(at), (series, "", bucket_of(seconds)))
        self.numbers[key] += 1
        self.seconds[key] += seconds


def hour_of(at: datetime) -> datetime:
    return at.replace(minute=0, second=0, microsecond=0)


class Folding:
    """The sweeper's part: `step` folds what has become old enough."""

    def __init__(self, engine: Engine, sources: Sequence[Source] = ()) -> None:
        self._engine = engine
        self._sources = sources
        self._next_at: datetime | None = None

    def use(self, sources: Sequence[Source]) -> None:
        """Other `[[sources]]` from the next window on."""
        self._sources = sources

    def step(self, now: datetime) -> int:
        """How many windows were folded."""
        if self._next_at is not None and now < self._next_at:
            return 0
        folded = 0
        while folded < _MOST_WINDOWS and advance(self._engine, now, self._sources):
            folded += 1
        if folded < _MOST_WINDOWS:
            self._next_at = now + _EVERY
        return folded


def advance(engine: Engine, now: datetime, sources: Sequence[Source] = ()) -> bool:
    """Fold the next window; False when there is none, or another process was faster."""
    end = now - LATENESS
    with reading(engine).begin() as connection:
        mark = find_mark(connection)
        start = _next_event(connection, mark, end)
        if start is None:
            return False
        until = min(end, start + _WINDOW)
        fold = _read(connection, mark, until)
    with engine.begin() as connection:
        if not _move_mark(connection, mark, until):
            return False
        add(connection, fold)
        repositories.note(connection, fold.pushes, fold.releases, sources)
        connection.execute(tallies.delete().where(tallies.c.hour > ALL_TIME, tallies.c.hour < now - KEEP_HOURS))
    return True


def find_mark(connection: Connection) -> datetime | None:
    """Up to when the figures tell everything."""
    return connection.execute(sa.select(tally_marks.c.until).where(tally_marks.c.name == MARK)).scalar_one_or_none()


def _next_event(connection: Connection, mark: datetime | None, end: datetime) -> datetime | None:
    """When the first thing after the mark happened: silent hours are leapt over."""
    after = mark or ALL_TIME
    found = [
        row[0]
        for column in (deliveries.c.created_at, attempts.c.finished_at)
        for row in connection.execute(sa.select(column).where(column > after, column <= end).order_by(column).limit(1))
    ]
    return min(found, default=None)


def _move_mark(connection: Connection, mark: datetime | None, until: datetime) -> bool:
    if mark is None:
        try:
            connection.execute(tally_marks.insert().values(name=MARK, until=until))
        except IntegrityError:
            connection.rollback()
            return False
        return True
    statement = tally_marks.update().where(tally_marks.c.name == MARK, tally_marks.c.until == mark)
    return connection.execute(statement.values(until=until)).rowcount == 1


def _read(connection: Connection, mark: datetime | None, until: datetime) -> Fold:
    fold, after = Fold(), mark or ALL_TIME
    columns = [deliveries.c[name] for name in ("status", "why", "provider", "repository", "repository_id", "ref", "created_at")]
    made = deliveries.c.created_at
    for row in connection.execute(sa.select(*columns).where(made > after, made <= until).order_by(made)):
        _fold_delivery(fold, row)
    ended = attempts.c.finished_at
    columns = [jobs.c[name] for name in ("provider", "repository", "repository_id", "version", "created_at", "warnings")]
    for row in connection.execute(
        sa.select(attempts.c.outcome, attempts.c.started_at, ended, *columns)
        .join_from(attempts, jobs, jobs.c.id == attempts.c.job_id)
        .where(ended > after, ended <= until)
        .order_by(ended)
    ):
        _fold_attempt(fold, row)
    return fold


def _fold_delivery(fold: Fold, row: sa.Row[Any]) -> None:
    fold.count(row.created_at, "deliveries", row.status)
    for step in row.why or []:
        if step["matched"]:
            fold.count(row.created_at, "rules", step["rule"])
    if row.repository is not None and row.ref is not None and row.status != "refused":
        fold.pushes[_repository(row)].append(row.created_at)


def _fold_attempt(fold: Fold, row: sa.Row[Any]) -> None:
    fold.count(row.finished_at, "attempts", row.outcome or "lost")
    fold.time(row.finished_at, "attempt_seconds", max(0.0, (row.finished_at - row.started_at).total_seconds()))
    if row.outcome == "succeeded":
        fold.time(row.finished_at, "release_seconds", max(0.0, (row.finished_at - row.created_at).total_seconds()))
        for warning in row.warnings or []:
            fold.count(row.finished_at, "warnings", warning["code"])
        fold.releases[_repository(row)] = (row.finished_at, row.version)


def _repository(row: sa.Row[Any]) -> Repository:
    return Repository(row.provider, row.repository, id=row.repository_id)


def add(connection: Connection, fold: Fold) -> None:
    """Add to the hour's rows and to those of all time."""
    sums: Counter[tuple[datetime, Key]] = Counter(fold.numbers)
    seconds = defaultdict(float, fold.seconds)
    for (_, key), number in fold.numbers.items():
        sums[ALL_TIME, key] += number
    for (_, key), spent in fold.seconds.items():
        seconds[ALL_TIME, key] += spent
    if not sums:
        return
    statement = upsert(connection, tallies)
    statement = statement.on_conflict_do_update(
        index_elements=["hour", "series", "label", "bucket"],
        set_={
            "number": tallies.c.number + statement.excluded.number,
            "seconds": tallies.c.seconds + statement.excluded.seconds,
        },
    )
    connection.execute(
        statement,
        [  # in one order for all, so that two writers never wait for each other in a circle
            dict(zip(tallies.c.keys(), (hour, *key, sums[hour, key], seconds[hour, key]), strict=True))
            for hour, key in sorted(sums)
        ],
    )


def waiting_since(connection: Connection, mark: datetime | None, now: datetime) -> datetime | None:
    """When the first thing happened that is old enough to be folded and is not; None where nothing waits."""
    return _next_event(connection, mark, now - LATENESS)


def since(connection: Connection, hour: datetime) -> list[TallyRow]:
    """The rows of each hour from this one on."""
    statement = sa.select(tallies).where(tallies.c.hour >= hour, tallies.c.hour > ALL_TIME)
    return cast("list[TallyRow]", connection.execute(statement).all())


def of_all_time(connection: Connection) -> list[TallyRow]:
    statement = sa.select(tallies).where(tallies.c.hour == ALL_TIME)
    statement = statement.order_by(tallies.c.series, tallies.c.label, tallies.c.bucket)
    return cast("list[TallyRow]", connection.execute(statement).all())

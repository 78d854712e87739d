"""Lists for pages that never read more than a set number of rows, whatever the filter and however much is stored.

One word of the filter drives the walk along its own index, newest first; the other words are held against at most SCAN
rows of it. Where that was not enough, the page says so and its cursor goes on behind them. Takes a connection, never commits.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from shared import finding
from shared.filters import DeliveryFilter, JobFilter, Page, write_cursor
from shared.ids import first_id
from shared.models import deliveries, jobs
from shared.states import JobState

SCAN = 1_000
MOST_COUNTED = 1_000


@dataclass(frozen=True, slots=True)
class Found:
    """`is_cut`: more rows may match behind the cursor than those that were looked at."""

    rows: list[sa.Row[Any]]
    next_cursor: str | None
    is_cut: bool = False


def list_jobs(connection: Connection, wanted: JobFilter, page: Page) -> Found:
    """Newest first."""
    drivers = [
        (jobs.c.status, wanted.status if wanted.status != JobState.SUCCEEDED else None),
        (jobs.c.reason, wanted.reason),
        (jobs.c.repository, wanted.repository),
        (jobs.c.target, wanted.target),
        (jobs.c.status, wanted.status),
    ]
    chosen = [(column, value) for column, value in drivers if value is not None]
    if len({column.name for column, _ in chosen}) < 2:
        return Found(*finding.list_jobs(connection, wanted, page))
    walked = [chosen[0][0] == chosen[0][1]]
    if wanted.since is not None:
        walked.append(jobs.c.id >= first_id(wanted.since))
    if page.after is not None:
        walked.append(jobs.c.id < page.after)
    return _walk(connection, jobs, jobs.c.id, walked, finding.job_conditions(wanted), page, "job")


def list_deliveries(connection: Connection, wanted: DeliveryFilter, page: Page) -> Found:
    """Newest first."""
    drivers = ((deliveries.c.repository, wanted.repository), (deliveries.c.status, wanted.status))
    chosen = [column == value for column, value in (*drivers, (deliveries.c.provider, wanted.provider)) if value is not None]
    walked = list(chosen[:1])
    if wanted.since is not None:
        first = _first_since(connection, wanted.since)
        if first is None:
            return Found([], None)
        walked.append(deliveries.c.seq >= first)
    if page.after is not None:
        walked.append(deliveries.c.seq < int(page.after))
    if len(chosen) < 2 and wanted.since is None:
        return Found(*finding.list_deliveries(connection, replace(wanted, since=None), page))
    return _walk(connection, deliveries, deliveries.c.seq, walked, chosen, page, "delivery")


def _first_since(connection: Connection, moment: datetime) -> int | None:
    """Deliveries are numbered as they come, so a time is a place in their order."""
    made = deliveries.c.created_at
    statement = sa.select(deliveries.c.seq).where(made >= moment).order_by(made).limit(1)
    return connection.execute(statement).scalar_one_or_none()


def _walk(
    connection: Connection,
    table: sa.Table,
    key: sa.Column[Any],
    walked: list[sa.ColumnElement[bool]],
    conditions: list[sa.ColumnElement[bool]],
    page: Page,
    kind: str,
) -> Found:
    steps = sa.select(key).where(*walked).order_by(key.desc()).limit(SCAN)
    looked_at = list(connection.execute(steps).scalars())
    rows: list[sa.Row[Any]] = []
    if looked_at:
        within = (*walked, key >= looked_at[-1])
        statement = sa.select(table).where(*within, *conditions).order_by(key.desc()).limit(page.limit + 1)
        rows = list(connection.execute(statement))
    if len(rows) > page.limit:
        return Found(rows[: page.limit], write_cursor(kind, str(rows[page.limit - 1]._mapping[key])))
    if len(looked_at) == SCAN:
        return Found(rows, write_cursor(kind, str(looked_at[-1])), is_cut=True)
    return Found(rows, None)


def count_up_to(connection: Connection, column: sa.Column[Any], value: object, most: int = MOST_COUNTED) -> int:
    """How many rows hold this value, `most` + 1 when there are more: a number for a tab, never a scan of the table."""
    some = sa.select(sa.literal(1)).where(column == value).limit(most + 1).subquery()
    return int(connection.execute(sa.select(sa.func.count()).select_from(some)).scalar_one())


def count_jobs(connection: Connection) -> dict[str, int]:
    """By state, each up to MOST_COUNTED + 1."""
    return {state.value: count_up_to(connection, jobs.c.status, state.value) for state in JobState}


def count_waiting(connection: Connection, target: str) -> int:
    """Jobs that wait for a target, up to MOST_COUNTED + 1."""
    waits = sa.text("jobs.status IN ('queued', 'retrying')")  # as in the partial index: SQLite must see the words
    mine = (waits, jobs.c.target == target, jobs.c.repository > "")  # the last makes SQLite take that index
    some = sa.select(sa.literal(1)).select_from(jobs).where(*mine).limit(MOST_COUNTED + 1).subquery()
    return int(connection.execute(sa.select(sa.func.count()).select_from(some)).scalar_one())

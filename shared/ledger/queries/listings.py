"""Lists of jobs and deliveries for pages, API and command line, and counts for tabs: however much is stored, a set number of
rows is looked at, whatever the filter.

One word of the filter drives the walk along its own index, newest first; the other words are held against at most SCAN
rows of it. Where that was not enough, the page says so and its cursor goes on behind them. Takes a connection, never commits.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Generic, TypeVar

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from shared.domain.filters import ANY_WAITING, NONE, DeliveryFilter, JobFilter, Page, read_cursor, write_cursor
from shared.domain.ids import first_id
from shared.domain.job_states import WAITING, JobState
from shared.ledger import due_jobs
from shared.ledger.queries import lookup
from shared.ledger.queries.keyset import Range
from shared.ledger.rows import ListedDelivery, ListedJob, Row
from shared.ledger.tables import deliveries, jobs

SCAN = 500
MOST_COUNTED = 1_000
T = TypeVar("T", bound=Row)


@dataclass(frozen=True, slots=True)
class Found(Generic[T]):
    """`is_cut`: more rows may match behind the cursor than those that were looked at. `last`: the key of the cursor."""

    rows: list[T]
    next_cursor: str | None
    is_cut: bool = False
    last: str | None = None


def list_jobs(connection: Connection, wanted: JobFilter, page: Page) -> Found[ListedJob]:
    """Newest first."""
    if wanted.status == ANY_WAITING:
        return _merged([list_jobs(connection, replace(wanted, status=state), page) for state in WAITING], page.limit)
    words = lookup.job_words(connection, wanted)
    given = {column: value for column, value in words if value != NONE}  # those without one have no index
    few = {} if wanted.status == JobState.SUCCEEDED else {jobs.c.status: wanted.status}
    drivers = (*few, jobs.c.reason, jobs.c.repository, jobs.c.target, jobs.c.status)
    # The jobs with any warning are few, and have an index of their own.
    some = jobs.c.warnings.is_not(None) if wanted.warning is not None else None
    driver = next(((column, given[column]) for column in drivers if column in given and some is None), None)
    low = first_id(wanted.since) if wanted.since is not None else None
    others = [(column, value) for column, value in words if driver is None or column is not driver[0]]
    along = Range(connection.dialect.name, jobs.c.id, driver, low, page.after, some)
    return _walk(connection, along, others, page, "job", ListedJob)


def _merged(found: Sequence[Found[ListedJob]], limit: int) -> Found[ListedJob]:
    """Several walks as one. What is older than the place where one of them ended may lack rows of it."""
    horizon = max((one.last for one in found if one.last is not None), default=None)
    rows = sorted((row for one in found for row in one.rows), key=lambda row: row.id, reverse=True)
    rows = [row for row in rows if horizon is None or row.id >= horizon]
    if len(rows) > limit:
        last = rows[limit - 1].id
        return Found(rows[:limit], write_cursor("job", last), last=last)
    if horizon is None:
        return Found(rows, None)
    return Found(rows, write_cursor("job", horizon), is_cut=any(one.is_cut for one in found), last=horizon)


def list_deliveries(connection: Connection, wanted: DeliveryFilter, page: Page) -> Found[ListedDelivery]:
    """Newest first."""
    words = (
        *lookup.repository_words(connection, deliveries, wanted.provider, wanted.repository),
        (deliveries.c.status, wanted.status),
        (deliveries.c.provider, wanted.provider),
    )
    chosen = [(column, value) for column, value in words if value is not None]
    low: int | None = None
    if wanted.since is not None and (low := _first_since(connection, wanted.since)) is None:
        return Found([], None)
    after = int(page.after) if page.after is not None else None
    driver = chosen[0] if chosen else None
    along = Range(connection.dialect.name, deliveries.c.seq, driver, low, after)
    return _walk(connection, along, chosen[1:], page, "delivery", ListedDelivery)


def _first_since(connection: Connection, moment: datetime) -> int | None:
    """Deliveries are numbered as they come, so a time is a place in their order."""
    made = deliveries.c.created_at
    statement = sa.select(deliveries.c.seq).where(made >= moment).order_by(made).limit(1)
    return connection.execute(statement).scalar_one_or_none()


def _walk(connection: Connection, along: Range, others: Sequence[lookup.Word], page: Page, kind: str, row: type) -> Found[Any]:
    """Rows of the type `row`, newest first. A repository may have had several names: each is a walk, and where one of them
    ends before the others, what they found behind its end is left to the next page."""
    if along.driver is None or not isinstance(along.driver[1], tuple):
        return _walk_one(connection, along, others, page, kind, row)
    column, names = along.driver
    walks = [_walk_one(connection, replace(along, driver=(column, name)), others, page, kind, row) for name in names]
    if len(walks) == 1:
        return walks[0]
    key = along.key
    ends = [key.type.python_type(read_cursor(walk.next_cursor, kind)) for walk in walks if walk.next_cursor is not None]
    rows = sorted((each for walk in walks for each in walk.rows), key=lambda each: getattr(each, key.name), reverse=True)
    shown = [each for each in rows if not ends or getattr(each, key.name) >= max(ends)][: page.limit]
    if len(shown) == page.limit < len(rows):
        return Found(shown, write_cursor(kind, str(getattr(shown[-1], key.name))))
    is_cut = any(walk.is_cut for walk in walks)
    return Found(shown, write_cursor(kind, str(max(ends))) if ends else None, is_cut=is_cut)


def _walk_one(
    connection: Connection, along: Range, others: Sequence[lookup.Word], page: Page, kind: str, row: type
) -> Found[Any]:
    """With the columns that `row` names: reading all of them costs more than finding the rows."""
    listed = [column for column in along.key.table.columns if column.name in row.__annotations__]
    walked = (along.conditions(), along.newest_first())
    if others:
        some = _select([along.key, *(column for column, _ in others)], *walked).limit(SCAN).subquery()
        held = (lookup.holds(some.c[column.name], value) for column, value in others)
        found = sa.select(some.c[along.key.name]).where(*held).order_by(some.c[along.key.name].desc()).limit(page.limit + 1)
        statement = _select(listed, [along.key.in_(found)], [along.key.desc()])
    else:
        statement = _select(listed, *walked).limit(page.limit + 1)
    rows = list(connection.execute(statement))
    if len(rows) > page.limit:
        ended = str(getattr(rows[page.limit - 1], along.key.name))
        return Found(rows[: page.limit], write_cursor(kind, ended), last=ended)
    if others:
        last = sa.select(along.key).where(*along.conditions()).order_by(*along.newest_first()).offset(SCAN - 1).limit(1)
        if (key := connection.execute(last).scalar_one_or_none()) is not None:
            return Found(rows, write_cursor(kind, str(key)), is_cut=True, last=str(key))
    return Found(rows, None)


def _select(
    columns: Sequence[sa.Column[Any]], conditions: Sequence[sa.ColumnElement[bool]], order: Sequence[sa.ColumnElement[Any]]
) -> sa.Select[Any]:
    return sa.select(*columns).where(*conditions).order_by(*order)


def count_up_to(connection: Connection, column: sa.Column[Any], value: object, most: int = MOST_COUNTED) -> int:
    """How many rows hold this value, `most` + 1 when there are more: a number for a tab, never a scan of the table."""
    along = Range(connection.dialect.name, next(iter(column.table.primary_key)), (column, value))
    some = sa.select(sa.literal(1)).where(*along.conditions()).order_by(*along.newest_first()).limit(most + 1).subquery()
    return int(connection.execute(sa.select(sa.func.count()).select_from(some)).scalar_one())


def count_jobs(connection: Connection) -> dict[str, int]:
    """By state, each up to MOST_COUNTED + 1."""
    return {state.value: count_up_to(connection, jobs.c.status, state.value) for state in JobState}


def count_waiting(connection: Connection, target: str) -> int:
    """Jobs that wait for a target, up to MOST_COUNTED + 1."""
    some = sa.select(sa.literal(1)).select_from(jobs).where(*due_jobs.waiting_for(target)).limit(MOST_COUNTED + 1).subquery()
    return int(connection.execute(sa.select(sa.func.count()).select_from(some)).scalar_one())

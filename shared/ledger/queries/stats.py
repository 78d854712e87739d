"""Counts and ages for people and alarms, exact. Takes a connection, never commits.

What is common is not counted but is what the others leave of all rows: SQLite knows how many rows a table has without
reading them one by one. All in one statement, so that a job that moves meanwhile is counted once.
"""

from __future__ import annotations

from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from shared.domain.filters import DELIVERY_STATUSES
from shared.domain.job_states import WAITING, JobState
from shared.ledger import due_jobs
from shared.ledger.queries.keyset import Range
from shared.ledger.tables import deliveries, jobs

_ALL = "*"


def count_by_status(connection: Connection) -> dict[str, dict[str, int]]:
    """{"jobs": {status: n}, "deliveries": {status: n}}, with a 0 for each status of which there is none."""
    return {
        "jobs": _count(connection, jobs.c.status, tuple(JobState), common=JobState.SUCCEEDED),
        "deliveries": _count(connection, deliveries.c.status, DELIVERY_STATUSES, common="accepted"),
    }


def _count(connection: Connection, column: sa.Column[str], words: tuple[str, ...], common: str) -> dict[str, int]:
    number = sa.func.count().label("n")
    # Each word by itself: over a list of them PostgreSQL would rather read the whole table.
    parts = [
        sa.select(sa.literal(str(word)).label("word"), number).select_from(column.table).where(column == word)
        for word in words
        if word != common
    ]
    whole = sa.select(sa.literal(_ALL), number).select_from(column.table)
    found: dict[str, int] = {row.word: row.n for row in connection.execute(sa.union_all(*parts, whole))}
    rest = found.pop(_ALL) - sum(found.values())
    return {word: rest if word == common else found[word] for word in map(str, words)}


def oldest_waiting_at(connection: Connection) -> datetime | None:
    """When the job that has been waiting longest was made; ids sort by time. One whose release is there, and is only being
    completed, keeps nobody waiting."""
    found = []
    for state in WAITING:
        along = Range(connection.dialect.name, jobs.c.id, (jobs.c.status, state.value))
        statement = (
            sa.select(jobs.c.created_at)
            .where(*along.conditions(), jobs.c.release_url.is_(None))
            .order_by(*along.oldest_first())
            .limit(1)
        )
        found += list(connection.execute(statement).scalars())
    return min(found, default=None)


def waiting_by_target(connection: Connection) -> dict[str, int]:
    """{target: jobs that are queued or retrying}."""
    return {name: count_waiting(connection, name) for name in due_jobs.targets(connection)}


def count_waiting(connection: Connection, target: str) -> int:
    statement = sa.select(sa.func.count()).select_from(jobs).where(*due_jobs.waiting_for(target))
    return int(connection.execute(statement).scalar_one())

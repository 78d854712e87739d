"""Which jobs the sweeper knocks for: those whose time has come, fair over targets and repositories, oldest first.

Every query here is a short range of one index, however long the backlog is. Takes a connection, never commits.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from itertools import chain, zip_longest

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from shared.domain.job_states import JobState
from shared.ledger.job_transitions import KNOCK_AGAIN_AFTER
from shared.ledger.tables import jobs

MOST_TARGETS = 200
MOST_REPOSITORIES = 200  # looked at in one sweep; the next one goes on behind the last
# Written out: with bound values neither database can tell that the partial index holds all of these rows.
_is_waiting = sa.text("jobs.status IN ('queued', 'retrying')")
# SQLite would rather collect and sort the whole backlog by its status than walk this index, so it is told.
_NEXT_TARGET = (
    "SELECT target FROM jobs {hint} WHERE status IN ('queued', 'retrying') AND target > :name ORDER BY target LIMIT 1"
)
_HINTS = {"sqlite": "INDEXED BY ix_jobs_due"}


def waiting_for(target: str) -> tuple[sa.ColumnElement[bool] | sa.TextClause, ...]:
    """The condition of all jobs that wait for a target; the empty name is what makes SQLite walk the index."""
    return _is_waiting, jobs.c.target == target, jobs.c.repository > ""


def targets(connection: Connection) -> list[str]:
    """The targets that any job waits for."""
    statement = sa.text(_NEXT_TARGET.format(hint=_HINTS.get(connection.dialect.name, "")))
    found: list[str] = []
    name: str | None = ""
    while len(found) < MOST_TARGETS:
        name = connection.execute(statement, {"name": name}).scalar_one_or_none()
        if name is None:
            break
        found.append(name)
    return found


def repositories(connection: Connection, target: str, *, after: str, until: datetime) -> tuple[list[str], str]:
    """The target's repositories behind `after` with a job to knock for by `until`, the oldest job's first.

    The second value is where the next sweep goes on; empty when it begins again.
    """
    found: list[tuple[datetime, str]] = []
    for _ in range(MOST_REPOSITORIES):
        statement = (
            sa.select(jobs.c.repository, jobs.c.knock_at)
            .where(_is_waiting, jobs.c.target == target, jobs.c.repository > after)
            .order_by(jobs.c.repository, jobs.c.knock_at)
            .limit(1)
        )
        row = connection.execute(statement).one_or_none()
        if row is None:
            after = ""
            break
        after = row.repository
        if row.knock_at <= until:
            found.append((row.knock_at, row.repository))
    return [name for _, name in sorted(found)], after


def of_repository(
    connection: Connection, target: str, repository: str, *, now: datetime, until: datetime, limit: int
) -> list[str]:
    """Ids of its jobs that are due, oldest first. `until` later than `now` also names those knocked for a moment ago."""
    statement = (
        sa.select(jobs.c.id)
        .where(
            _is_waiting,
            jobs.c.target == target,
            jobs.c.repository == repository,
            jobs.c.knock_at <= until,
            jobs.c.next_attempt_at <= now,
        )
        .order_by(jobs.c.knock_at, jobs.c.id)
        .limit(limit)
    )
    return list(connection.execute(statement).scalars())


def safest(connection: Connection, target: str, *, now: datetime, until: datetime) -> str | None:
    """The one job for a target that gets one at a time: none while one runs; first one that has not failed itself, of a
    repository none of whose jobs has, the oldest."""
    running = sa.select(jobs.c.id).where(jobs.c.target == target, jobs.c.status == JobState.RUNNING).limit(1)
    if connection.execute(running).first() is not None:
        return None
    mine, failed = jobs.c, jobs.alias("failed")
    has_failed = sa.and_(mine.status == JobState.RETRYING, mine.error.is_not(None))
    is_suspect = sa.exists().where(
        failed.c.target == mine.target,
        failed.c.repository == mine.repository,
        failed.c.status == JobState.RETRYING,
        failed.c.error.is_not(None),
    )
    statement = (
        sa.select(mine.id)
        .where(*waiting_for(target), mine.knock_at <= until, mine.next_attempt_at <= now)
        .order_by(has_failed, is_suspect, mine.id)
        .limit(1)
    )
    return connection.execute(statement).scalar_one_or_none()


def is_due(connection: Connection, job_id: str, *, now: datetime, until: datetime) -> bool:
    """Whether this one job is to be knocked for."""
    statement = sa.select(jobs.c.id).where(
        jobs.c.id == job_id, _is_waiting, jobs.c.knock_at <= until, jobs.c.next_attempt_at <= now
    )
    return connection.execute(statement).first() is not None


def interleave(lists: Sequence[Sequence[str]], limit: int) -> list[str]:
    """One of each in turn, so that a long list keeps nobody from his turn."""
    in_turn = chain.from_iterable(zip_longest(*lists))
    return [item for item in in_turn if item is not None][:limit]


def stamp(connection: Connection, job_ids: Sequence[str], *, now: datetime) -> None:
    """A message went out for these jobs; one that has no effect is sent again."""
    again = now + KNOCK_AGAIN_AFTER
    latest = sa.case((jobs.c.next_attempt_at > again, jobs.c.next_attempt_at), else_=again)
    connection.execute(jobs.update().where(jobs.c.id.in_(job_ids), _is_waiting).values(knock_at=latest))

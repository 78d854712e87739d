"""Releases that are out with a part of their commits: found and set going again when more may be known.

Takes a connection, never commits.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from shared.domain.attempt_end import PARTIAL
from shared.domain.ids import first_id
from shared.domain.job_states import JobState
from shared.domain.push import Repository
from shared.ledger import identities, push_history, recollects
from shared.ledger.tables import jobs

_MOST = 500  # jobs a transaction
_LOOK_BACK = timedelta(days=1)


def wake(connection: Connection, *, now: datetime, provider: str | None = None, repository: str | None = None) -> int:
    """Let releases that wait for the rest of their commits be completed now, 500 at most; returns how many. Call it until it
    is 0."""
    wanted = [jobs.c.status == JobState.RETRYING, jobs.c.reason == PARTIAL, jobs.c.next_attempt_at > now]
    if provider is not None:
        wanted.append(jobs.c.provider == provider)
    if repository is not None:
        wanted.append(jobs.c.repository == repository)
    return _wake(connection, sa.select(jobs.c.id).where(*wanted).limit(_MOST), now)


def complete_reached(connection: Connection, repository: Repository, shas: Collection[str], *, now: datetime) -> None:
    """Branch pushes lead to these commits: what the log could not give the releases of their tags, it may give now.

    Releases of the last day, `_MOST` at most. A job that runs meanwhile looks again when it ends (`complete_if_reached`).
    """
    found = sa.select(jobs.c.id, jobs.c.status, jobs.c.repository, jobs.c.repository_id).where(
        jobs.c.reason == PARTIAL,
        jobs.c.id > first_id(now - _LOOK_BACK),
        jobs.c.provider == repository.provider,
        jobs.c.sha.in_(shas),
        jobs.c.ref.like("refs/tags/%"),
        jobs.c.status.in_((JobState.RETRYING, JobState.SUCCEEDED)),
    )
    if connection.dialect.name == "postgresql":  # one that is claimed in this moment reads the log itself
        found = found.with_for_update(skip_locked=True)
    names = {repository.full_name.lower(), repository.forge_name.lower()}
    rows = connection.execute(found.limit(_MOST)).all()
    own = [row for row in rows if row.repository.lower() in names or row.repository_id == repository.id is not None]
    if waiting := [row.id for row in own if row.status == JobState.RETRYING]:
        _wake(connection, waiting, now)
    if done := [row.id for row in own if row.status == JobState.SUCCEEDED]:
        recollects.begin_all(connection, done, now=now)


def complete_if_reached(connection: Connection, repository: Repository, sha: str, *, now: datetime) -> None:
    """The same for a job that has just ended, if a push to its commit was logged while it ran."""
    located = identities.locate(connection, repository)
    push_history.lock(connection, located.log_key)
    if push_history.branch_pushes_to(connection, located.log_key, sha):
        complete_reached(connection, located, (sha,), now=now)


def _wake(connection: Connection, ids: sa.Select[tuple[str]] | list[str], now: datetime) -> int:
    statement = jobs.update().where(jobs.c.id.in_(ids), jobs.c.status == JobState.RETRYING)
    return connection.execute(statement.values(next_attempt_at=now, knock_at=now)).rowcount

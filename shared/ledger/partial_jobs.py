"""Releases that are out with a part of their commits: found and set going again when more may be known.

Takes a connection, never commits.
"""

from __future__ import annotations

from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from shared.domain.job_states import JobState
from shared.ledger.job_transitions import PARTIAL
from shared.ledger.tables import jobs

_MOST = 500  # jobs a transaction


def wake(connection: Connection, *, now: datetime, provider: str | None = None, repository: str | None = None) -> int:
    """Let releases that wait for the rest of their commits be completed now, 500 at most; returns how many. Call it until it
    is 0."""
    wanted = [jobs.c.status == JobState.RETRYING, jobs.c.reason == PARTIAL, jobs.c.next_attempt_at > now]
    if provider is not None:
        wanted.append(jobs.c.provider == provider)
    if repository is not None:
        wanted.append(jobs.c.repository == repository)
    few = sa.select(jobs.c.id).where(*wanted).limit(_MOST)
    statement = jobs.update().where(jobs.c.id.in_(few), jobs.c.status == JobState.RETRYING)
    return connection.execute(statement.values(next_attempt_at=now, knock_at=now)).rowcount

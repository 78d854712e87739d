"""Collecting the commit list of a release once more. Takes a connection, never commits.

The release is there and stays: `begin` keeps the state that the job has, and whatever ends the recollect but a whole list
gives it back: `attempt_end.not_recollected`, a cancel, a worker that vanished too often (`job_transitions.restore`).
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from shared.domain.attempt_end import PARTIAL
from shared.domain.job_states import JobState, Trigger
from shared.ledger.job_transitions import BUDGET, move
from shared.ledger.tables import jobs


def possible() -> list[sa.ColumnElement[bool]]:
    """Jobs whose release is there: succeeded, or waiting to complete a partial list; none that is being recollected."""
    is_completing = sa.and_(jobs.c.status == JobState.RETRYING, jobs.c.reason == PARTIAL, jobs.c.release_url.is_not(None))
    return [sa.or_(jobs.c.status == JobState.SUCCEEDED, is_completing), jobs.c.before_status.is_(None)]


def is_possible(connection: Connection, job_id: str) -> bool:
    return connection.execute(sa.select(jobs.c.id).where(jobs.c.id == job_id, *possible())).first() is not None


def begin(connection: Connection, job_id: str, *, now: datetime) -> bool:
    """Queue the job to collect its list again."""
    return begin_all(connection, [job_id], now=now) == 1


def begin_if_partial(connection: Connection, job_id: str, *, now: datetime) -> bool:
    """The same, if the list is known to be partial: what a redelivery asks for."""
    return connection.execute(_beginning(now).where(jobs.c.id == job_id, jobs.c.reason == PARTIAL)).rowcount == 1


def begin_all(connection: Connection, job_ids: Sequence[str], *, now: datetime, replay_seq: int | None = None) -> int:
    """The same for many; how many were queued. `replay_seq`: the bulk act that takes them."""
    statement = _beginning(now).values(replay_seq=replay_seq).where(jobs.c.id.in_(job_ids))
    return connection.execute(statement).rowcount


def _beginning(now: datetime) -> sa.Update:
    return move("recollect", *possible()).values(
        before_status=jobs.c.status,
        before_next_at=jobs.c.next_attempt_at,
        before_waiting=jobs.c.waiting,
        before_updated_at=jobs.c.updated_at,
        trigger=Trigger.RECOLLECT,
        attempts_allowed=jobs.c.attempts + BUDGET,
        next_attempt_at=now,
        knock_at=now,
        waiting=None,
        updated_at=now,
        replay_seq=None,
    )

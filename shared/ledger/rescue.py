"""Takes back the jobs of workers that vanished. Takes a connection, never commits."""

from __future__ import annotations

from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from shared.domain.job_states import JobState, Outcome, Trigger
from shared.domain.reasons import Reason
from shared.ledger.job_transitions import move, restore
from shared.ledger.tables import attempts, jobs

# Written out, so that the partial index is seen to hold these rows (see shared/ledger/due_jobs.py).
_is_running = sa.text("jobs.status = 'running'")


def has_expired_lease(connection: Connection, *, now: datetime) -> bool:
    """Whether `rescue` would find something; asks without a write lock."""
    statement = sa.select(jobs.c.id).where(_is_running, jobs.c.lease_until < now).limit(1)
    return connection.execute(statement).first() is not None


def rescue(connection: Connection, *, now: datetime, limit: int = 500) -> list[tuple[str, JobState]]:
    """Take back jobs whose lease ran out: queued again, or failed when the budget is used up. Returns (id, new state)."""
    expired = sa.select(jobs.c.id).where(_is_running, jobs.c.lease_until < now).order_by(jobs.c.lease_until).limit(limit)
    if connection.dialect.name == "postgresql":
        expired = expired.with_for_update(skip_locked=True)
    # The state and the time stand in each update again: a job that finished meanwhile is not ours to move.
    still_lost = (jobs.c.id.in_(expired), jobs.c.lease_until < now)
    lost = "the worker vanished or outlived its lease"
    is_last = jobs.c.attempts >= jobs.c.attempts_allowed
    given_up = move("give_up", *still_lost, is_last, jobs.c.before_status.is_(None)).values(
        lease_until=None, reason=Reason.ATTEMPTS_EXHAUSTED, error=f"{lost}; no attempt is left", updated_at=now
    )
    queued = move("rescue", *still_lost, jobs.c.attempts < jobs.c.attempts_allowed).values(
        trigger=Trigger.RESCUE, next_attempt_at=now, knock_at=now, lease_until=None, error=lost, updated_at=now
    )
    moved = restore(connection, *still_lost, is_last)
    for statement, state in ((given_up, JobState.FAILED), (queued, JobState.QUEUED)):
        moved += [(row.id, state) for row in connection.execute(statement.returning(jobs.c.id))]
    if moved:
        connection.execute(
            attempts.update()
            .where(attempts.c.job_id.in_([job_id for job_id, _ in moved]), attempts.c.outcome.is_(None))
            .values(outcome=Outcome.LOST, finished_at=now, error=lost)
        )
    return moved


def give_up(connection: Connection, job_id: str, *, error: str, now: datetime) -> bool:
    """End a job that no worker can read: it is failed, or what it was before its list was to be collected again."""
    if restore(connection, jobs.c.id == job_id):
        return True
    ended = move("give_up", jobs.c.id == job_id).values(
        lease_until=None, waiting=None, reason=Reason.MISSED_WEBHOOK, error=error, updated_at=now
    )
    if connection.execute(ended).rowcount != 1:
        return False
    unfinished = attempts.update().where(attempts.c.job_id == job_id, attempts.c.outcome.is_(None))
    connection.execute(unfinished.values(outcome=Outcome.FAILED, finished_at=now, error=error))
    return True

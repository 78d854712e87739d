"""Collecting the commit list of a release once more. Takes a connection, never commits.

The release is there and stays: `begin` keeps the state that the job has, and whatever ends the recollect but a whole list
gives it back: `give_up`, a cancel, a worker that vanished too often (`job_transitions.restore`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from shared.domain.job_states import JobState, Outcome, Trigger
from shared.domain.job_warnings import JobWarning, as_json
from shared.ledger.job_transitions import BUDGET, NOT_RECOLLECTING, PARTIAL, finish, move
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


def complete(
    connection: Connection,
    job_id: str,
    number: int,
    *,
    before: str,
    found: Mapping[str, Any] | None,
    warnings: Sequence[JobWarning] | None,
    http_status: int | None,
    now: datetime,
    exchanges: Mapping[str, Any] | None = None,
) -> bool:
    """The release lists what was found, None when it lists nothing by intent. `before`: the state that the job had;
    `warnings`: None where nothing was sent.

    One that waited to complete its list and is still partial waits on.
    """
    partial = found["partial"] if found else None
    values: dict[str, Any] = {"range": found} | ({} if warnings is None else {"warnings": as_json(warnings)})
    transition = "restore_completing" if partial and before == JobState.RETRYING else "succeed"
    if transition == "succeed":
        values |= {"reason": PARTIAL if partial else None, "error": None, **NOT_RECOLLECTING}
    return finish(connection, transition, values, job_id, number, Outcome.SUCCEEDED, http_status, None, now, exchanges)


def give_up(
    connection: Connection,
    job_id: str,
    number: int,
    *,
    before: str,
    error: str,
    http_status: int | None,
    now: datetime,
    exchanges: Mapping[str, Any] | None = None,
) -> bool:
    """Nothing has changed: the job is as it was before, and the attempt says why."""
    transition = "restore_succeeded" if before == JobState.SUCCEEDED else "restore_completing"
    return finish(connection, transition, {}, job_id, number, Outcome.FAILED, http_status, error, now, exchanges)

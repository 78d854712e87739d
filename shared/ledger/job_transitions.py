"""The ledger's verbs: every change of a job's state, each one conditional update (taking a job: `shared/ledger/claims.py`).

Takes a connection, never commits.

Who sets `failed`? Look here. A transition returns False (or None) when someone else moved first; nothing is then changed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from functools import cache
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from shared.domain.attempt_end import NOT_RECOLLECTING, PARTIAL, AttemptEnd
from shared.domain.job_states import TRANSITIONS, WAITING, JobState, Trigger
from shared.ledger.tables import attempts, jobs

LEASE = timedelta(seconds=180)
KNOCK_AGAIN_AFTER = timedelta(seconds=10)  # a message that has had no effect for so long counts as lost
BUDGET = 12  # attempts before a job fails for good; worker/jobs/retry_policy.py spreads them over about eight hours
RESTORED: Mapping[str, Any] = {
    **NOT_RECOLLECTING,
    "next_attempt_at": jobs.c.before_next_at,
    "knock_at": jobs.c.before_next_at,
    "waiting": jobs.c.before_waiting,
    "updated_at": jobs.c.before_updated_at,  # whether a later release replaced this one is seen by it (`bring_back`)
    "error": None,
}


def end(
    connection: Connection,
    job_id: str,
    number: int,
    ended: AttemptEnd,
    *,
    now: datetime,
    exchanges: Mapping[str, Any] | None = None,
) -> bool:
    """End attempt `number` and move its job; False when it is no longer ours.

    `exchanges`: what the attempt sent and got (`shared/targets/http_exchanges.py`).
    """
    mine = {"of_job": job_id, "of_number": number}
    given = {f"new_{name}": value for name, value in ended.values.items()}
    if connection.execute(_ending(ended.transition, tuple(ended.values)), {**mine, **given, "moment": now}).rowcount != 1:
        return False
    kept = {"end": ended.outcome, "status": ended.http_status, "text": ended.error, "packed": exchanges}
    connection.execute(_attempt_ending(), {**mine, **kept, "moment": now})
    return True


def note(connection: Connection, job_id: str, number: int, **values: Any) -> bool:
    """Write facts found on the way (`range`, `deploy`) to a job that is still ours."""
    statement = jobs.update().where(jobs.c.status == JobState.RUNNING, *_mine(job_id, number)).values(**values)
    return connection.execute(statement).rowcount == 1


def cancel(connection: Connection, job_id: str, *, now: datetime) -> bool:
    """A person said no, before a worker began. A release that is only being completed or recollected is there, and stays as
    it is."""
    return cancel_all(connection, [job_id], now=now) == 1


def cancel_all(connection: Connection, job_ids: Sequence[str], *, now: datetime) -> int:
    """The same for many; how many were moved."""
    these = (jobs.c.id.in_(job_ids), jobs.c.before_status.is_(None))
    is_completing = (jobs.c.release_url.is_not(None), jobs.c.reason == PARTIAL)
    moves = (move("settle", *these, *is_completing), move("cancel", *these))
    moved = sum(connection.execute(statement.values(waiting=None, updated_at=now)).rowcount for statement in moves)
    return moved + len(restore(connection, jobs.c.id.in_(job_ids), jobs.c.status.in_(WAITING)))


def restore(connection: Connection, *conditions: sa.ColumnElement[bool]) -> list[tuple[str, JobState]]:
    """Give jobs that are being recollected the state back that they had before: [(id, that state)]."""
    restored: list[tuple[str, JobState]] = []
    for transition, state in (("restore_succeeded", JobState.SUCCEEDED), ("restore_completing", JobState.RETRYING)):
        statement = move(transition, jobs.c.before_status == state, *conditions).values(lease_until=None, **RESTORED)
        restored += [(row.id, state) for row in connection.execute(statement.returning(jobs.c.id))]
    return restored


def replay(
    connection: Connection,
    job_id: str,
    *,
    now: datetime,
    only: Sequence[JobState] = (JobState.FAILED, JobState.CANCELLED),
) -> bool:
    """Queue a finished job again with a fresh budget of attempts; its history stays."""
    statement = requeue(now).where(jobs.c.id == job_id, jobs.c.status.in_(only))
    return connection.execute(statement).rowcount == 1


def requeue(now: datetime) -> sa.Update:
    """The update that replays; whoever uses it says which jobs."""
    return move("replay").values(_afresh(now, Trigger.REPLAY))


def _afresh(now: datetime, trigger: Trigger) -> dict[str, Any]:
    """A fresh budget of attempts, from now on."""
    return {
        "trigger": trigger,
        "attempts_allowed": jobs.c.attempts + BUDGET,
        "next_attempt_at": now,
        "knock_at": now,
        "waiting": None,
        "reason": None,
        "error": None,
        "updated_at": now,
        "replay_seq": None,  # cancelling the bulk replay that took it before must not touch this one
    }


def bring_back(connection: Connection, job_id: str, names: Sequence[str], *, now: datetime, always: bool = False) -> bool:
    """Queue a job again whose release another commit of the same ref has replaced since: a tag that moved, and moved back.

    `names`: all that its repository was ever called. `always`: also one that was not replaced. A release that is there and
    waits for more of its commits counts as one that succeeded.
    """
    other, this = jobs.alias("other"), jobs.c
    same = (this.target, this.provider, this.ref, this.version)
    replaced = sa.exists().where(
        other.c.repository.in_(names),
        other.c.repository_id.is_not_distinct_from(this.repository_id)
        | other.c.repository_id.is_(None)
        | this.repository_id.is_(None),
        *(other.c[column.name] == column for column in same),
        other.c.id != this.id,
        other.c.updated_at > this.updated_at,
    )
    is_there = sa.or_(this.status == JobState.SUCCEEDED, this.reason == PARTIAL)
    statement = move("return", this.id == job_id, is_there, *(() if always else (replaced,)))
    return connection.execute(statement.values({**_afresh(now, Trigger.WEBHOOK), "release_url": None})).rowcount == 1


def ask_for_deploy(connection: Connection, job_id: str, *, now: datetime) -> None:
    """Its ref is back on its commit: whichever state the job is in, its next attempt records one more deploy, of this time."""
    connection.execute(jobs.update().where(jobs.c.id == job_id).values(deploy_at=now))


def return_for_deploy(connection: Connection, job_id: str, recorded_at: datetime, *, now: datetime) -> None:
    """Queue a job that has succeeded again, if its ref came back to its commit while it ran."""
    statement = move("return", jobs.c.id == job_id, jobs.c.status == JobState.SUCCEEDED, jobs.c.deploy_at > recorded_at)
    connection.execute(statement.values(_afresh(now, Trigger.WEBHOOK)))


def postpone(connection: Connection, job_ids: Sequence[str], *, now: datetime) -> None:
    """A message was dropped unread: the sweeper is to knock again, as soon as it is these jobs' turn."""
    statement = jobs.update().where(jobs.c.id.in_(job_ids), jobs.c.status.in_(WAITING), jobs.c.knock_at > now)
    connection.execute(statement.values(knock_at=sa.case((jobs.c.next_attempt_at > now, jobs.c.next_attempt_at), else_=now)))


def move(transition: str, *conditions: sa.ColumnElement[bool]) -> sa.Update:
    """One conditional update: the row moves only from the states that the table of transitions names."""
    sources, target = TRANSITIONS[transition]
    return jobs.update().where(jobs.c.status.in_(sorted(sources)), *conditions).values(status=target)


def _mine(job_id: str, number: int) -> tuple[sa.ColumnElement[bool], sa.ColumnElement[bool]]:
    """The attempt number guards against a worker that outlived its lease and would overwrite its successor."""
    return jobs.c.id == job_id, jobs.c.attempts == number


@cache
def _ending(transition: str, names: tuple[str, ...]) -> sa.Update:
    """The attempt number guards against a worker that outlived its lease and would overwrite its successor."""
    values: dict[str, Any] = {name: sa.bindparam(f"new_{name}") for name in names}
    values |= {"lease_until": None, "updated_at": sa.bindparam("moment")}
    if transition in ("snooze", "hand_back"):
        values["attempts_allowed"] = jobs.c.attempts_allowed + 1
    if transition.startswith("restore"):
        values |= RESTORED
    mine = jobs.c.id == sa.bindparam("of_job"), jobs.c.attempts == sa.bindparam("of_number")
    return move(transition, *mine).values(values)


@cache
def _attempt_ending() -> sa.Update:
    return (
        attempts.update()
        .where(attempts.c.job_id == sa.bindparam("of_job"), attempts.c.number == sa.bindparam("of_number"))
        .values(
            outcome=sa.bindparam("end"),
            http_status=sa.bindparam("status"),
            error=sa.bindparam("text"),
            finished_at=sa.bindparam("moment"),
            exchanges=sa.bindparam("packed"),
        )
    )

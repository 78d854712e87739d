"""The ledger's verbs: every change of a job's state, each one conditional update. Takes a connection, never commits.

Who sets `failed`? Look here. A transition returns False (or None) when someone else moved first; nothing is then changed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from shared.db import UtcDateTime
from shared.models import attempts, jobs, payloads, target_states
from shared.states import TRANSITIONS, JobState, Outcome, Trigger

LEASE = timedelta(seconds=180)
KNOCK_AGAIN_AFTER = timedelta(seconds=10)  # a message that has had no effect for so long counts as lost
BUDGET = 12  # attempts before a job fails for good; worker/retry.py spreads them over about eight hours
_LONGEST_ERROR = 2_000
_WAITING = (JobState.QUEUED, JobState.RETRYING)


@dataclass(frozen=True, slots=True, kw_only=True)
class Claimed:
    """A job in our hands until `lease_until`, with all that one attempt needs. `headers` and `body`: None once expired."""

    id: str
    number: int  # of this attempt; guards every later write
    attempts_allowed: int
    delivery_id: str | None
    provider: str
    repository: str
    ref: str
    sha: str
    target: str
    version: str
    spec: Mapping[str, Any]
    deploy: Mapping[str, Any] | None
    release_url: str | None  # set once a release was sent, also a partial one that is to be completed
    created_at: datetime
    lease_until: datetime
    headers: Mapping[str, str] | None
    body: bytes | None

    @property
    def tried(self) -> int:
        """Attempts of the present budget, this one included."""
        return self.number - (self.attempts_allowed - BUDGET)


def claim(connection: Connection, job_id: str, *, now: datetime, lease: timedelta = LEASE) -> Claimed | None:
    """Take a job that is due: the attempt is counted before the work, so a job that kills workers reaches its limit.

    Jobs of one release run one after another, since each POST replaces the whole list of commits; a unique index on
    running jobs settles the race that the condition cannot see (IntegrityError: another one has just begun).
    """
    row = connection.execute(_claiming(), {"job": job_id, "moment": now, "lease_end": now + lease}).one_or_none()
    if row is None:
        return None
    begun = {"job_id": job_id, "number": row.attempts, "trigger": row.trigger, "started_at": now}
    connection.execute(attempts.insert(), begun)
    payload = connection.execute(_PAYLOAD, {"seq": row.delivery_seq}).one_or_none()
    return Claimed(
        id=job_id,
        number=row.attempts,
        attempts_allowed=row.attempts_allowed,
        delivery_id=row.delivery_id,
        provider=row.provider,
        repository=row.repository,
        ref=row.ref,
        sha=row.sha,
        target=row.target,
        version=row.version,
        spec=row.spec,
        deploy=row.deploy,
        release_url=row.release_url,
        created_at=row.created_at,
        lease_until=now + lease,
        headers=payload.headers if payload else None,
        body=payload.body if payload else None,
    )


_PAYLOAD = sa.select(payloads.c.headers, payloads.c.body).where(payloads.c.delivery_seq == sa.bindparam("seq"))


@cache  # a statement that is built for each call costs more than its execution
def _claiming() -> Any:
    moment = sa.bindparam("moment", type_=UtcDateTime)
    running = jobs.alias("running")
    same_release = sa.exists().where(
        running.c.target == jobs.c.target, running.c.version == jobs.c.version, running.c.status == JobState.RUNNING
    )
    return (
        move("claim", jobs.c.id == sa.bindparam("job"), jobs.c.next_attempt_at <= moment, ~same_release, ~_is_barred())
        .values(attempts=jobs.c.attempts + 1, lease_until=sa.bindparam("lease_end"), waiting=None, updated_at=moment)
        .returning(
            jobs.c.attempts,
            jobs.c.attempts_allowed,
            jobs.c.trigger,
            jobs.c.delivery_seq,
            jobs.c.delivery_id,
            jobs.c.provider,
            jobs.c.repository,
            jobs.c.ref,
            jobs.c.sha,
            jobs.c.target,
            jobs.c.version,
            jobs.c.spec,
            jobs.c.deploy,
            jobs.c.release_url,
            jobs.c.created_at,
        )
    )


def succeed(
    connection: Connection,
    job_id: str,
    number: int,
    *,
    outcome: str,
    http_status: int,
    release_url: str,
    found: Mapping[str, Any] | None,
    now: datetime,
    exchanges: bytes | None = None,
) -> bool:
    """The release is at the target. `outcome`: created or existed; `found`: the commit range (contract section 4).

    Here and below: `exchanges` is what the attempt sent and got (`shared/exchanges.py`).
    """
    values = {
        "outcome": outcome,
        "release_url": release_url,
        "range": found,
        "reason": "commits_partial" if found and found["partial"] else None,
        "error": None,
    }
    return _finish(connection, "succeed", values, job_id, number, Outcome.SUCCEEDED, http_status, None, now, exchanges)


def retry_later(
    connection: Connection,
    job_id: str,
    number: int,
    *,
    at: datetime,
    reason: str | None,
    error: str,
    http_status: int | None,
    now: datetime,
    exchanges: bytes | None = None,
) -> bool:
    """A passing failure: the job waits in SQL until `at`, then the sweeper knocks."""
    values = {
        "trigger": Trigger.RETRY,
        "next_attempt_at": at,
        "knock_at": at,
        "reason": reason,
        "error": _cut(error),
    }
    return _finish(connection, "retry_later", values, job_id, number, Outcome.RETRY, http_status, error, now, exchanges)


def snooze(
    connection: Connection,
    job_id: str,
    number: int,
    *,
    at: datetime,
    waiting: Mapping[str, Any],
    now: datetime,
    exchanges: bytes | None = None,
) -> bool:
    """Wait until `at` for something that is not the job's fault: its budget grows by the attempt that this one cost.

    `waiting`: {"code", "detail", "until"} (contract section 4). The trigger stays: a replay that was held is still one.
    """
    values = {"next_attempt_at": at, "knock_at": at, "waiting": dict(waiting)}
    return _finish(connection, "snooze", values, job_id, number, Outcome.HELD, None, str(waiting["detail"]), now, exchanges)


def hand_back(connection: Connection, job_id: str, number: int, *, now: datetime) -> bool:
    """The worker is told to stop: another one begins the job again at once, and the attempt costs nothing."""
    values = {"next_attempt_at": now, "knock_at": now}
    return _finish(connection, "hand_back", values, job_id, number, Outcome.HELD, None, "the worker was stopped", now)


def fail(
    connection: Connection,
    job_id: str,
    number: int,
    *,
    reason: str,
    error: str,
    http_status: int | None,
    now: datetime,
    exchanges: bytes | None = None,
) -> bool:
    """A person must act: the job is a dead letter until it is replayed."""
    values = {"reason": reason, "error": _cut(error)}
    return _finish(connection, "fail", values, job_id, number, Outcome.FAILED, http_status, error, now, exchanges)


def note(connection: Connection, job_id: str, number: int, **values: Any) -> bool:
    """Write facts found on the way (`range`, `deploy`) to a job that is still ours."""
    statement = jobs.update().where(jobs.c.status == JobState.RUNNING, *_mine(job_id, number)).values(**values)
    return connection.execute(statement).rowcount == 1


def cancel(connection: Connection, job_id: str, *, now: datetime) -> bool:
    """A person said no, before a worker began."""
    statement = move("cancel", jobs.c.id == job_id).values(waiting=None, updated_at=now)
    return connection.execute(statement).rowcount == 1


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
    return move("replay").values(
        trigger=Trigger.REPLAY,
        attempts_allowed=jobs.c.attempts + BUDGET,
        next_attempt_at=now,
        knock_at=now,
        waiting=None,
        reason=None,
        error=None,
        updated_at=now,
    )


def postpone(connection: Connection, job_ids: Sequence[str], *, now: datetime) -> None:
    """A message was dropped unread: the sweeper is to knock again, as soon as it is these jobs' turn."""
    statement = jobs.update().where(jobs.c.id.in_(job_ids), jobs.c.status.in_(_WAITING), jobs.c.knock_at > now)
    connection.execute(statement.values(knock_at=sa.case((jobs.c.next_attempt_at > now, jobs.c.next_attempt_at), else_=now)))


def move(transition: str, *conditions: sa.ColumnElement[bool]) -> sa.Update:
    """One conditional update: the row moves only from the states that the table of transitions names."""
    sources, target = TRANSITIONS[transition]
    return jobs.update().where(jobs.c.status.in_(sorted(sources)), *conditions).values(status=target)


def _is_barred() -> sa.ColumnElement[bool]:
    """Its target is paused, or is being probed by another job."""
    return sa.exists().where(
        target_states.c.name == jobs.c.target,
        target_states.c.state != "ok",
        sa.or_(target_states.c.probe_job.is_(None), target_states.c.probe_job != jobs.c.id),
    )


def _mine(job_id: str, number: int) -> tuple[sa.ColumnElement[bool], sa.ColumnElement[bool]]:
    """The attempt number guards against a worker that outlived its lease and would overwrite its successor."""
    return jobs.c.id == job_id, jobs.c.attempts == number


def _finish(
    connection: Connection,
    transition: str,
    values: Mapping[str, Any],
    job_id: str,
    number: int,
    outcome: Outcome,
    http_status: int | None,
    error: str | None,
    now: datetime,
    exchanges: bytes | None = None,
) -> bool:
    mine = {"of_job": job_id, "of_number": number}
    given = {f"new_{name}": value for name, value in values.items()}
    if connection.execute(_ending(transition, tuple(values)), {**mine, **given, "moment": now}).rowcount != 1:
        return False
    ended = {"end": outcome, "status": http_status, "text": _cut(error) if error else None, "packed": exchanges}
    connection.execute(_attempt_ending(), {**mine, **ended, "moment": now})
    return True


@cache
def _ending(transition: str, names: tuple[str, ...]) -> sa.Update:
    """The attempt number guards against a worker that outlived its lease and would overwrite its successor."""
    values: dict[str, Any] = {name: sa.bindparam(f"new_{name}") for name in names}
    if transition in ("snooze", "hand_back"):
        values["attempts_allowed"] = jobs.c.attempts_allowed + 1
    mine = jobs.c.id == sa.bindparam("of_job"), jobs.c.attempts == sa.bindparam("of_number")
    return move(transition, *mine).values(**values, lease_until=None, updated_at=sa.bindparam("moment"))


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


def _cut(text: str) -> str:
    return text if len(text) <= _LONGEST_ERROR else text[: _LONGEST_ERROR - 1] + "…"

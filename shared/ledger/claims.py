"""Taking a job that is due, with all that one attempt needs. Takes a connection, never commits."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection
from sqlalchemy.exc import IntegrityError

from shared.domain.job_states import JobState, Outcome, Trigger
from shared.domain.job_warnings import WarningCode
from shared.domain.push import Push
from shared.domain.rules import Source
from shared.infra.database import UtcDateTime
from shared.ledger import job_keys
from shared.ledger.job_transitions import BUDGET, LEASE, move
from shared.ledger.tables import attempts, deliveries, jobs, payloads, target_repositories, target_states


@dataclass(frozen=True, slots=True, kw_only=True)
class Claimed:
    """A job in our hands until `lease_until`, with all that one attempt needs. `headers` and `body`: None once expired.

    `event_at`: when what it announces happened, which is when its delivery came; None for a tag without one whose time nobody
    knows. `deploy_at`: when its ref came back to this commit, which makes one more deploy.
    `is_first_contact`: the target has had no commits of the repository yet, and no other job brings it some meanwhile.
    """

    id: str
    number: int  # of this attempt; guards every later write
    attempts_allowed: int
    delivery_id: str | None
    provider: str
    repository: str
    repository_id: int | None
    ref: str
    sha: str
    target: str
    version: str
    spec: Mapping[str, Any]
    deploy: Mapping[str, Any] | None
    release_url: str | None  # set once a release was sent, also a partial one that is to be completed
    created_at: datetime
    event_at: datetime | None
    deploy_at: datetime | None
    next_attempt_at: datetime
    range: Mapping[str, Any] | None
    before_status: str | None  # while its list is collected again: the state that it had
    lease_until: datetime
    headers: Mapping[str, str] | None
    body: bytes | None
    is_first_contact: bool = False
    earlier: tuple[tuple[str, int | None], ...] = ()  # outcome and HTTP status of each attempt before, but of those that waited
    warnings: Sequence[dict[str, str]] | None = None  # of the attempts before

    @property
    def is_first_try(self) -> bool:
        """Whether no attempt of ours can have sent anything."""
        return not self.earlier and self.release_url is None

    @property
    def is_unclear(self) -> bool:
        """Whether the release may be there already: an attempt got 5xx or no answer, or only its deploy is left to do."""
        failed = any(outcome != Outcome.FAILED and (status or 500) >= 500 for outcome, status in self.earlier)
        return failed or (self.deploy is not None and self.deploy["state"] != "sent")

    @property
    def failures_of_size(self) -> int:
        """Answers that a proxy gives, and some servers, where a body is too much for them."""
        return sum(status in (500, 502, 504) for _, status in self.earlier)

    @property
    def is_last_try(self) -> bool:
        return self.number >= self.attempts_allowed

    @property
    def is_recollect(self) -> bool:
        """Whether the release is there already, and only its list is in question."""
        return self.before_status is not None

    @property
    def has_no_refs(self) -> bool:
        """Whether the target refused the refs of the release, which it has without them."""
        return any(one["code"] == WarningCode.REFS_REFUSED for one in self.warnings or ())

    @property
    def tried(self) -> int:
        """Attempts of the present budget, this one included."""
        return self.number - (self.attempts_allowed - BUDGET)


class JustBegun(Exception):
    """Another job of the same release, or of a repository that is new to the target, was claimed in this moment."""


def claim(connection: Connection, job_id: str, *, now: datetime, lease: timedelta = LEASE) -> Claimed | None:
    """Take a job that is due: the attempt is counted before the work, so a job that kills workers reaches its limit.

    Jobs of one release run one after another, since each POST replaces the whole list of commits; so do those that would
    bring a target the first commits of a repository. Raises JustBegun where only the commit of another transaction showed
    that it is not this job's turn: this one must be rolled back then.
    """
    try:  # a unique index on running jobs settles the race for a release that the condition cannot see
        row = connection.execute(_claiming(), {"job": job_id, "moment": now, "lease_end": now + lease}).one_or_none()
    except IntegrityError as problem:
        raise JustBegun from problem
    if row is None:
        return None
    if row.is_first_contact:
        _settle_first_contact(connection, job_id, row.target, row.repository)
    mine = {"job": job_id, "number": row.attempts}
    earlier = connection.execute(_EARLIER, mine).all() if row.attempts > 1 else []
    begun = {"job_id": job_id, "number": row.attempts, "trigger": row.trigger, "started_at": now}
    connection.execute(attempts.insert(), begun)
    payload = connection.execute(_PAYLOAD, {"seq": row.delivery_seq}).one_or_none()
    return Claimed(
        id=job_id,
        number=row.attempts,
        lease_until=now + lease,
        event_at=row.event_at or (payload.created_at if payload else row.created_at if row.delivery_id else None),
        is_first_contact=bool(row.is_first_contact),
        earlier=tuple((attempt.outcome, attempt.http_status) for attempt in earlier),
        **{name: row._mapping[name] for name in _AS_STORED},
        headers=payload.headers if payload else None,
        body=payload.body if payload else None,
    )


def _settle_first_contact(connection: Connection, job_id: str, target: str, repository: str) -> None:
    """On PostgreSQL two claims see nothing of one another until one is committed: the second waits for that, and looks again.
    SQLite has one writer at a time. Raises JustBegun."""
    if connection.dialect.name != "postgresql":
        return
    connection.execute(_LOCK, {"name": f"{target} {repository}"})
    if connection.execute(_OTHER_CONTACT, {"job": job_id, "target": target, "repository": repository}).first() is not None:
        raise JustBegun


def asked_at(connection: Connection, job: Claimed) -> datetime:
    """Since when someone has been waiting for this job: its push, a recollect, or the first attempt of the replay that is
    going on."""
    if job.is_recollect:
        return job.next_attempt_at
    mine = attempts.c.job_id == job.id
    ended = sa.select(sa.func.coalesce(sa.func.max(attempts.c.number), 0)).where(mine, attempts.c.outcome == Outcome.FAILED)
    replayed = sa.select(sa.func.min(attempts.c.started_at)).where(
        mine, attempts.c.trigger == Trigger.REPLAY, attempts.c.number > ended.scalar_subquery()
    )
    return connection.execute(replayed).scalar_one() or job.created_at


def event_at(connection: Connection, tag: Push, target: str, sources: Sequence[Source]) -> datetime | None:
    """The date that the release of this tag has, or will have, at the target; None where we make none."""
    job_id, _ = job_keys.find(connection, tag, target, sources)
    row = connection.execute(sa.select(jobs.c.event_at, jobs.c.created_at).where(jobs.c.id == job_id)).one_or_none()
    return None if row is None else row.event_at or row.created_at


_AS_STORED = [name for name in Claimed.__dataclass_fields__ if name in jobs.c and name not in ("id", "event_at", "lease_until")]
_EARLIER = sa.select(attempts.c.outcome, attempts.c.http_status).where(
    attempts.c.job_id == sa.bindparam("job"),
    attempts.c.number < sa.bindparam("number"),
    attempts.c.outcome.in_((Outcome.RETRY, Outcome.FAILED, Outcome.LOST, Outcome.SUCCEEDED)),
)
_PAYLOAD = (
    sa.select(deliveries.c.created_at, payloads.c.headers, payloads.c.body)
    .select_from(deliveries.outerjoin(payloads, payloads.c.delivery_seq == deliveries.c.seq))
    .where(deliveries.c.seq == sa.bindparam("seq"))
)


@cache  # a statement that is built for each call costs more than its execution
def _claiming() -> Any:
    moment = sa.bindparam("moment", type_=UtcDateTime)
    running = jobs.alias("running")
    same_release = sa.exists().where(
        running.c.target == jobs.c.target, running.c.version == jobs.c.version, running.c.status == JobState.RUNNING
    )
    return (
        move(
            "claim",
            jobs.c.id == sa.bindparam("job"),
            jobs.c.next_attempt_at <= moment,
            ~same_release,
            ~_is_barred(),
            ~_is_first_contact(),
        )
        .values(attempts=jobs.c.attempts + 1, lease_until=sa.bindparam("lease_end"), waiting=None, updated_at=moment)
        .returning(
            jobs.c.attempts,
            jobs.c.trigger,
            jobs.c.delivery_seq,
            jobs.c.event_at,
            sa.and_(_lists_commits(jobs), ~_is_known()).label("is_first_contact"),
            *(jobs.c[name] for name in _AS_STORED),
        )
    )


def _is_first_contact() -> sa.ColumnElement[bool]:
    """It would bring its target the first commits of a repository, and so does another job that runs: Sentry makes a
    repository of each of two lists of commits that name a new one at the same time.

    Repositories of two providers that have one name have one at the target.
    """
    running = jobs.alias("first")
    is_running = sa.exists().where(
        running.c.status == JobState.RUNNING,
        running.c.target == jobs.c.target,
        running.c.repository == jobs.c.repository,
        _lists_commits(running),
    )
    return sa.and_(_lists_commits(jobs), ~_is_known(), is_running)


def _is_known() -> sa.ColumnElement[bool]:
    known = target_repositories.c
    return sa.exists().where(known.target == jobs.c.target, known.repository == jobs.c.repository)


def _lists_commits(table: sa.FromClause) -> sa.ColumnElement[bool]:
    mode: sa.ColumnElement[str] = table.c.spec["set_commits"].as_string()
    return mode.in_(("auto", "payload"))


_LOCK = sa.text("SELECT pg_advisory_xact_lock(hashtextextended(:name, 0))")  # until the end of the transaction
_OTHER_CONTACT = (
    sa.select(jobs.c.id)
    .where(
        jobs.c.repository == sa.bindparam("repository"),
        jobs.c.target == sa.bindparam("target"),
        jobs.c.status == JobState.RUNNING,
        jobs.c.id != sa.bindparam("job"),
        _lists_commits(jobs),
    )
    .limit(1)
)


def _is_barred() -> sa.ColumnElement[bool]:
    """Its target is paused, is being probed by another job, or gets one job at a time and has one."""
    other = jobs.alias("other")
    is_busy = sa.exists().where(other.c.target == jobs.c.target, other.c.status == JobState.RUNNING)
    is_shut = sa.and_(
        target_states.c.state != "ok",
        sa.or_(target_states.c.probe_job.is_(None), target_states.c.probe_job != jobs.c.id),
    )
    is_careful = sa.and_(target_states.c.is_careful, is_busy)
    return sa.exists().where(target_states.c.name == jobs.c.target, sa.or_(is_shut, is_careful))

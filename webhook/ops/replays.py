"""Replays: one delivery decided again, or all jobs that a filter names. Takes a connection, never commits."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from shared.domain.filters import JobFilter
from shared.domain.job_states import JobState
from shared.domain.push import Push
from shared.domain.rules import Decision, Rules, decide
from shared.errors import Conflict, Rejected
from shared.forges.stored_payload import read_stored_push
from shared.ledger import deliveries as ledger
from shared.ledger import jobs as job_ledger
from shared.ledger.queries.lookup import job_conditions
from shared.ledger.tables import deliveries, jobs

REPLAYABLE = (JobState.FAILED, JobState.CANCELLED)


def replay_delivery(connection: Connection, row: sa.Row[Any], rules: Rules, *, now: datetime) -> list[str]:
    """Decide a stored delivery again; the ids of the jobs that now wait: only of what has not succeeded.

    `row` comes from `finding.find_delivery`. Raises Conflict when there is nothing left to decide upon.
    """
    push = read_push(row)
    if push is None:
        return []
    decision = decide(push, rules)
    made: list[str] = []
    ids = list(row.jobs)
    for work in decision.work:
        job_id, waits = ledger.queue_again(connection, push, work, row.seq, row.delivery_id, now)
        ids += [] if job_id in ids else [job_id]
        made += [job_id] if waits else []
    if made:
        connection.execute(deliveries.update().where(deliveries.c.seq == row.seq).values(jobs=ids, **_decided(decision)))
    return made


def why_nothing(row: sa.Row[Any], rules: Rules) -> str | None:
    """Why `replay_delivery` found nothing to do, as a sentence; None where all it asks for has succeeded or waits already.

    Raises Conflict as that does.
    """
    push = read_push(row)
    if push is None:
        return "it announces no commit, so there is nothing to release"
    decision = decide(push, rules)
    if decision.work:
        return None
    return f"{decision.detail} ({decision.reason}); rules are read at the start of a process: restart all after a change"


def read_push(row: sa.Row[Any]) -> Push | None:
    """The stored push, None when the delivery was something else. Raises Conflict when it cannot be read any more."""
    if row.body is None:
        gone = "was refused, so nothing of it was kept" if row.status == "refused" else "has expired"
        raise Conflict(f"the payload of this delivery {gone}")
    try:
        return read_stored_push(row.provider, row.headers, row.body)
    except Rejected as problem:
        raise Conflict(f"the stored payload cannot be read: {problem}") from None


def _decided(decision: Decision) -> dict[str, Any]:
    """What the delivery's page says from now on: today's decision."""
    return {
        "status": "accepted",
        "reason": decision.reason,
        "detail": decision.detail,
        "why": [step.as_json() for step in decision.trail],
    }


def matching(wanted: JobFilter) -> list[sa.ColumnElement[bool]]:
    return [jobs.c.status.in_(REPLAYABLE), *job_conditions(wanted)]


def count(connection: Connection, wanted: JobFilter) -> int:
    """How many jobs `replay_all` would queue."""
    return int(connection.execute(sa.select(sa.func.count()).select_from(jobs).where(*matching(wanted))).scalar_one())


def replay_all(connection: Connection, wanted: JobFilter, *, now: datetime, limit: int | None = None) -> int:
    """Queue every job that matches, or the oldest `limit` of them; the sweeper feeds them out at their targets' pace."""
    conditions = matching(wanted)
    if limit is not None:
        some = sa.select(jobs.c.id).where(*conditions).order_by(jobs.c.id).limit(limit)
        conditions = [jobs.c.id.in_(some), jobs.c.status.in_(REPLAYABLE)]
    return connection.execute(job_ledger.requeue(now).where(*conditions)).rowcount

"""Counts and ages for people and alarms. Takes a connection, never commits."""

from __future__ import annotations

from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from shared.models import deliveries, jobs
from shared.states import JobState


def count_by_status(connection: Connection) -> dict[str, dict[str, int]]:
    """{"jobs": {status: n}, "deliveries": {status: n}}."""
    return {
        table.name: {
            row.status: row.n
            for row in connection.execute(sa.select(table.c.status, sa.func.count().label("n")).group_by(table.c.status))
        }
        for table in (jobs, deliveries)
    }


def oldest_waiting_at(connection: Connection) -> datetime | None:
    """When the job that has been waiting longest was made; ids sort by time."""
    found = [
        row.created_at
        for state in (JobState.QUEUED, JobState.RETRYING)
        for row in connection.execute(sa.select(jobs.c.created_at).where(jobs.c.status == state).order_by(jobs.c.id).limit(1))
    ]
    return min(found, default=None)


def waiting_by_target(connection: Connection) -> dict[str, int]:
    """{target: jobs that are queued or retrying}."""
    statement = (
        sa.select(jobs.c.target, sa.func.count().label("n"))
        .where(jobs.c.status.in_((JobState.QUEUED, JobState.RETRYING)))
        .group_by(jobs.c.target)
    )
    return {row.target: row.n for row in connection.execute(statement)}

"""Jobs that failed or wait, by what they have in common: for the overview. Takes a connection, never commits.

Like a list, it looks at the newest SCAN rows of each state; a list with the same words shows the same jobs.
"""

from __future__ import annotations

from collections import Counter
from typing import NamedTuple

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from shared.domain.job_states import WAITING, JobState
from shared.ledger.queries.keyset import Range
from shared.ledger.queries.listings import SCAN
from shared.ledger.tables import jobs


class Group(NamedTuple):
    """`code`: the reason of jobs that failed; of jobs that wait `waiting.code`. None for those without one."""

    code: str | None
    target: str
    provider: str
    repository: str


def of_failed(connection: Connection) -> Counter[Group]:
    return _count(connection, JobState.FAILED, jobs.c.reason)


def of_waiting(connection: Connection) -> Counter[Group]:
    """Queued or retrying."""
    code = jobs.c.waiting["code"].as_string()
    return _count(connection, WAITING[0], code) + _count(connection, WAITING[1], code)


def _count(connection: Connection, state: JobState, code: sa.ColumnElement[str | None]) -> Counter[Group]:
    along = Range(connection.dialect.name, jobs.c.id, (jobs.c.status, state.value))
    columns = (code.label("code"), jobs.c.target, jobs.c.provider, jobs.c.repository)
    newest = sa.select(*columns).where(*along.conditions()).order_by(*along.newest_first()).limit(SCAN).subquery()
    statement = sa.select(*newest.c, sa.func.count().label("number")).group_by(*newest.c)
    return Counter({Group(*row[:-1]): row.number for row in connection.execute(statement)})

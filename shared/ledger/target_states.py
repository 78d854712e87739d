"""How each target fares, written down so that all processes agree. Takes a connection, never commits.

What a change means is decided in `shared/domain/target_health.py`; a target without a row is fine.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict
from datetime import datetime, timedelta
from functools import cache
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from shared.domain import target_health
from shared.domain.job_states import WAITING, JobState
from shared.domain.target_health import Health, Seen, Sign, TargetState
from shared.infra.database import upsert
from shared.ledger.tables import jobs, target_states

UNKNOWN_PACE = 20.0  # of a target that is not in the configuration any more
BURST_SECONDS = 0.5  # of the pace that an idle target may be sent at once: 20 a second can never look like 40
KEEPING_KNOWN = timedelta(days=1)
LONGEST_TURN_SECONDS = 1.0  # a worker's thread waits no longer than this for its turn; the sweeper feeds the rest
_HEALTH = [target_states.c[name] for name in Health.__dataclass_fields__]

_FIND = sa.select(*_HEALTH).where(target_states.c.name == sa.bindparam("target"))


def find(connection: Connection) -> dict[str, Health]:
    """What is known of each target, by name; one that is not here is fine."""
    return {row.name: _health(row) for row in connection.execute(sa.select(target_states.c.name, *_HEALTH))}


def find_one(connection: Connection, name: str) -> Health:
    row = connection.execute(_FIND, {"target": name}).one_or_none()
    return Health() if row is None else _health(row)


def record(connection: Connection, name: str, job_id: str, seen: Seen, *, now: datetime) -> tuple[Health, Health]:
    """Take the end of an attempt into account; returns the health before and after."""
    if seen.sign is Sign.WELL:
        row = connection.execute(_FIND, {"target": name}).one_or_none()
        if row is None or (row.state == TargetState.OK and row.failures == 0):
            return Health(), Health()  # nearly always: no lock, no write
    return _change(
        connection,
        name,
        lambda health: target_health.after_attempt(health, seen, job_id=job_id, now=now),
        now,
    )


def pause(connection: Connection, name: str, *, now: datetime) -> None:
    """Until a person resumes it."""
    _change(connection, name, lambda _: target_health.pause_by_hand(), now)


def resume(connection: Connection, name: str, *, now: datetime) -> None:
    """Trust it again at once; five failures in a row pause it anew."""
    _change(connection, name, lambda _: Health(), now)


def keeps_commits(connection: Connection, name: str, now: datetime) -> bool | None:
    """Whether the target kept the commits that it was sent, when that was last seen; None where it was not seen for a day."""
    seen = target_states.c.keeps_commits_at > now - KEEPING_KNOWN
    statement = sa.select(target_states.c.keeps_commits).where(target_states.c.name == name, seen)
    return connection.execute(statement).scalar_one_or_none()


def learn_keeping(connection: Connection, name: str, *, keeps: bool, now: datetime) -> None:
    _insert_missing(connection, name, now)
    values = {"keeps_commits": keeps, "keeps_commits_at": now}
    connection.execute(target_states.update().where(target_states.c.name == name).values(**values))


def elect_probe(connection: Connection, name: str, job_id: str, *, now: datetime) -> bool:
    """Let this one job through to a target whose pause is over. False when it is not over, or another job was faster."""
    _, after = _change(connection, name, lambda health: target_health.begin_probe(health, job_id, now), now)
    return after.probe_job == job_id


def probe_stands(connection: Connection, name: str, job_id: str, *, now: datetime) -> bool:
    """Whether the probe can still end by itself; one that cannot (cancelled, made to wait) is given up."""
    is_due = sa.and_(jobs.c.status.in_(WAITING), jobs.c.next_attempt_at <= now)
    statement = sa.select(jobs.c.id).where(jobs.c.id == job_id, sa.or_(jobs.c.status == JobState.RUNNING, is_due))
    if connection.execute(statement).first() is not None:
        return True
    _change(connection, name, lambda health: target_health.lose_probe(health, job_id, now), now)
    return False


def take_turn(connection: Connection, name: str, *, pace: float, calls: int, now: datetime) -> float | None:
    """Seconds until this worker may send `calls` requests, None when that is too far off to wait for.

    All workers draw from one row, so together they keep to the pace.
    """
    cost, moment = calls / pace, now.timestamp()
    values = {"target": name, "cost": cost, "moment": moment, "latest": moment + BURST_SECONDS + LONGEST_TURN_SECONDS}
    taken = connection.execute(_turn(), values).scalar_one_or_none()
    if taken is None:
        _insert_missing(connection, name, now)
        taken = connection.execute(_turn(), values).scalar_one_or_none()
    return None if taken is None else max(0.0, float(taken) - cost - BURST_SECONDS - moment)


@cache
def _turn() -> Any:
    column = target_states.c.next_send
    moment, cost = sa.bindparam("moment", type_=sa.Float), sa.bindparam("cost", type_=sa.Float)
    return (
        target_states.update()
        .where(target_states.c.name == sa.bindparam("target"), sa.or_(column.is_(None), column <= sa.bindparam("latest")))
        .values(next_send=sa.case((column > moment, column), else_=moment) + cost)
        .returning(column)
    )


def _change(connection: Connection, name: str, change: Callable[[Health], Health], now: datetime) -> tuple[Health, Health]:
    """Read under a lock, decide, write: the row is never decided upon by two at once."""
    _insert_missing(connection, name, now)
    statement = sa.select(*_HEALTH).where(target_states.c.name == name).with_for_update()  # SQLite: we hold its write lock
    before = _health(connection.execute(statement).one())
    after = change(before)
    if after != before:
        connection.execute(target_states.update().where(target_states.c.name == name).values(**asdict(after), updated_at=now))
    return before, after


def _insert_missing(connection: Connection, name: str, now: datetime) -> None:
    values = upsert(connection, target_states).values(name=name, updated_at=now, **asdict(Health()))
    connection.execute(values.on_conflict_do_nothing(index_elements=["name"]))


def _health(row: sa.Row[Any]) -> Health:
    values: Mapping[str, Any] = {name: getattr(row, name) for name in Health.__dataclass_fields__}
    told = {"state": TargetState(row.state), "failed": tuple(row.failed or ()), "is_careful": bool(row.is_careful)}
    return Health(**{**values, **told})

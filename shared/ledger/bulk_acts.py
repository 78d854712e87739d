"""Acts upon many jobs in short transactions: replay or recollect all that a filter matches, cancel what is left of that.

Takes a connection, never commits. `begin` and each `step` are transactions of their own; a step takes at most STEP jobs, so
that no worker and no webhook waits long for the rows. The row remembers how far the act has come: whoever finds its lease
expired goes on (`worker/sweeper/bulk_finisher.py`). Two who step at once share the work.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, Literal, NamedTuple

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from shared.domain.filters import read_job_filter
from shared.domain.ids import first_id
from shared.domain.job_states import TRANSITIONS, WAITING
from shared.ledger import audit, recollects
from shared.ledger.job_transitions import cancel_all, requeue
from shared.ledger.queries.lookup import job_conditions
from shared.ledger.reporting_tables import bulk_acts
from shared.ledger.tables import jobs

STEP = 500  # jobs a transaction
LEASE = timedelta(seconds=30)
Verb = Literal["replay", "recollect", "cancel"]
_PAST: dict[Verb, str] = {"replay": "replayed", "recollect": "recollected", "cancel": "cancelled"}


class BulkAct(NamedTuple):
    """A row of `bulk_acts`. `wanted`: the filter's words as given, relative to `started_at`; for a cancel {"replay": seq,
    "verb": of the act}."""

    seq: int
    verb: Verb
    wanted: Mapping[str, Any]
    state: Literal["running", "done", "cancelled"]
    matched: int
    handled: int
    after_id: str
    started_at: datetime
    ended_at: datetime | None
    lease_until: datetime


def begin(connection: Connection, seq: int, verb: Verb, wanted: Mapping[str, Any], matched: int, *, now: datetime) -> BulkAct:
    """Write the act down, before anything of it is done. `seq`: its audit line; `matched`: as `count` found just before, in a
    transaction that only read. A cancel also stops the act it names."""
    act = BulkAct(seq, verb, wanted, "running", matched, 0, "", now, None, now + LEASE)
    if verb == "cancel":
        _stop(connection, wanted["replay"], now)
    connection.execute(bulk_acts.insert().values(act._asdict()))
    return act


def count(connection: Connection, verb: Verb, wanted: Mapping[str, Any], *, now: datetime) -> int:
    """How many jobs an act that begins now would move. Raises BadParameter for a faulty filter."""
    statement = sa.select(sa.func.count()).select_from(jobs).where(*_conditions(connection, verb, wanted, now))
    return int(connection.execute(statement).scalar_one())


def step(connection: Connection, seq: int, *, now: datetime, limit: int = STEP) -> BulkAct | None:
    """Move the next jobs, in the order of their ids. The act as it is now; None when it no longer runs."""
    lock = bulk_acts.update().where(bulk_acts.c.seq == seq, bulk_acts.c.state == "running").values(lease_until=now + LEASE)
    row = connection.execute(lock.returning(*bulk_acts.c)).one_or_none()
    if row is None:
        return None
    act = BulkAct(**row._mapping)
    conditions = [*_conditions(connection, act.verb, act.wanted, act.started_at), jobs.c.id > act.after_id]
    ids = list(connection.execute(sa.select(jobs.c.id).where(*conditions).order_by(jobs.c.id).limit(limit)).scalars())
    values: dict[str, Any] = {"handled": act.handled + (_move(connection, act, ids, now) if ids else 0)}
    values |= {"after_id": ids[-1]} if ids else {}
    if len(ids) < limit:
        values |= {"state": "done", "ended_at": now}
        audit.complete(connection, seq, _outcome(act.verb, values["handled"]))
    connection.execute(bulk_acts.update().where(bulk_acts.c.seq == seq).values(values))
    return act._replace(**values)


def put_off(connection: Connection, seq: int, *, until: datetime) -> None:
    """Leave an act that cannot be stepped now to a later try, so that it holds up no other."""
    connection.execute(bulk_acts.update().where(bulk_acts.c.seq == seq).values(lease_until=until))


def find(connection: Connection, seq: int) -> BulkAct | None:
    row = connection.execute(sa.select(bulk_acts).where(bulk_acts.c.seq == seq)).one_or_none()
    return None if row is None else BulkAct(**row._mapping)


def find_abandoned(connection: Connection, *, now: datetime) -> int | None:
    """The number of an act whose process has not moved it for LEASE, the longest abandoned first."""
    running = sa.text("state = 'running'")  # in the very words of the partial index
    statement = sa.select(bulk_acts.c.seq).where(running, bulk_acts.c.lease_until < now).order_by(bulk_acts.c.lease_until)
    return connection.execute(statement.limit(1)).scalar_one_or_none()


def count_states(connection: Connection, seq: int) -> dict[str, int]:
    """{state: jobs} of a bulk replay or recollect; one that a later replay took is no longer among them."""
    statement = sa.select(jobs.c.status, sa.func.count().label("n")).where(jobs.c.replay_seq == seq).group_by(jobs.c.status)
    return {row.status: row.n for row in connection.execute(statement)}


def _stop(connection: Connection, seq: int, now: datetime) -> None:
    """End a replay or recollect that still runs; its audit line says how far it came."""
    mine = (bulk_acts.c.seq == seq, bulk_acts.c.verb != "cancel", bulk_acts.c.state == "running")
    stop = bulk_acts.update().where(*mine).values(state="cancelled", ended_at=now)
    if (row := connection.execute(stop.returning(bulk_acts.c.verb, bulk_acts.c.handled)).one_or_none()) is not None:
        audit.complete(connection, seq, _outcome(row.verb, row.handled))


def _conditions(
    connection: Connection, verb: Verb, wanted: Mapping[str, Any], started_at: datetime
) -> list[sa.ColumnElement[bool]]:
    """Jobs that came after the act began are none of its own: one that fails again is not replayed twice."""
    if verb == "cancel":
        # A job whose list was collected again and is still partial waits as it did before.
        is_left = [jobs.c.before_status.is_not(None)] if wanted.get("verb") == "recollect" else []
        return [jobs.c.replay_seq == wanted["replay"], jobs.c.status.in_(WAITING), *is_left]
    before = jobs.c.id < first_id(started_at + timedelta(milliseconds=1))
    allowed = recollects.possible() if verb == "recollect" else [jobs.c.status.in_(sorted(TRANSITIONS["replay"][0]))]
    return [*allowed, *job_conditions(connection, read_job_filter(wanted, started_at)), before]


def _move(connection: Connection, act: BulkAct, ids: list[str], now: datetime) -> int:
    if act.verb == "cancel":
        return cancel_all(connection, ids, now=now)
    if act.verb == "recollect":
        return recollects.begin_all(connection, ids, now=now, replay_seq=act.seq)
    return connection.execute(requeue(now).values(replay_seq=act.seq).where(jobs.c.id.in_(ids))).rowcount


def _outcome(verb: Verb, handled: int) -> dict[str, int]:
    return {_PAST[verb]: handled}

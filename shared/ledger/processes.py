"""The processes that run, and which rules file each has in force. Takes a connection, never commits."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Row

from shared.ledger.reporting_tables import processes

SEEN_EVERY = timedelta(seconds=20)
GONE_AFTER = timedelta(seconds=70)  # a process that was not seen for so long has ended without saying so
_MOST = 200


def note(
    connection: Connection,
    process_id: str,
    *,
    kind: str,
    host: str,
    pid: int,
    digest: str | None,
    errors: Sequence[str],
    now: datetime,
) -> None:
    """This process is there, with this file in force. Also forgets those that have ended without saying so."""
    held = {"seen_at": now, "digest": digest, "errors": list(errors)}
    changed = connection.execute(processes.update().where(processes.c.id == process_id).values(**held))
    if not changed.rowcount:
        named = {"id": process_id, "kind": kind, "host": host[:200], "pid": pid, "started_at": now}
        connection.execute(processes.insert().values(**named, **held))
    connection.execute(processes.delete().where(processes.c.seen_at < now - GONE_AFTER))


def forget(connection: Connection, process_id: str) -> None:
    """This process ends."""
    connection.execute(processes.delete().where(processes.c.id == process_id))


def list_running(connection: Connection, *, now: datetime) -> Sequence[Row[tuple[object, ...]]]:
    """Those seen lately, by kind and age."""
    statement = (
        sa.select(processes)
        .where(processes.c.seen_at >= now - GONE_AFTER)
        .order_by(processes.c.kind, processes.c.started_at, processes.c.id)
        .limit(_MOST)
    )
    return connection.execute(statement).all()

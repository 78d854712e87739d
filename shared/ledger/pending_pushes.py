"""Stored pushes that are not in the commit log yet: found with their payloads, and written into it once they are read.

Takes a connection, never commits.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from shared.domain.push import Commit, Push
from shared.ledger import push_history
from shared.ledger.tables import deliveries, payloads

_BATCH = 100  # deliveries a step
_FEW = 8  # deliveries that may come with something else's transaction, where each is small
_SMALL = 64 * 1024
# Written out: SQLite uses a partial index only for the very words it was made with, and SQLAlchemy would add `= 1`.
_TO_LOG = sa.text("deliveries.to_log")

# Built once: a statement that is built for each call costs more than its execution.
_SIZE = sa.func.coalesce(sa.func.length(payloads.c.body), 0)
_STORED = deliveries.outerjoin(payloads, payloads.c.delivery_seq == deliveries.c.seq)
_OF_REPOSITORY = (
    _TO_LOG,
    deliveries.c.provider == sa.bindparam("provider"),
    deliveries.c.repository == sa.bindparam("repository"),
)
_PENDING = (
    sa.select(deliveries.c.seq, _SIZE.label("size"))
    .select_from(_STORED)
    .where(*_OF_REPOSITORY)
    .order_by(deliveries.c.seq)
    .limit(_BATCH)
)
_READ = (
    sa.select(deliveries.c.seq, deliveries.c.created_at, payloads.c.headers, payloads.c.body)
    .select_from(_STORED)
    .where(deliveries.c.seq.in_(sa.bindparam("seqs", expanding=True)))
    .order_by(deliveries.c.seq)
)
_SMALL_ONES = (
    sa.select(
        deliveries.c.seq,
        deliveries.c.created_at,
        payloads.c.headers,
        sa.case((_SIZE <= _SMALL, payloads.c.body)).label("body"),
        _SIZE.label("size"),
    )
    .select_from(_STORED)
    .where(*_OF_REPOSITORY)
    .order_by(deliveries.c.seq)
    .limit(_FEW)
)
_IS_PENDING = sa.select(deliveries.c.seq).where(*_OF_REPOSITORY).limit(1)
_LOGGED = deliveries.update().where(deliveries.c.seq.in_(sa.bindparam("seqs", expanding=True))).values(to_log=False)


class PendingDelivery(NamedTuple):
    """A stored delivery that waits for the log. `headers` and `body` are None where its payload has expired."""

    seq: int
    at: datetime
    headers: Mapping[str, str] | None
    body: bytes | None


class PendingPush(NamedTuple):
    """The same once it is read. `push` is None where its payload is gone or tells of none."""

    seq: int
    at: datetime
    push: Push | None
    commits: Sequence[Commit]  # all that its push says anything about


def read_few(connection: Connection, *, provider: str, repository: str) -> list[PendingDelivery]:
    """The next deliveries that wait, oldest first, as long as they are few and each is small: for a transaction that somebody
    needs anyway. Other writers would wait too long for two thousand commits."""
    rows = connection.execute(_SMALL_ONES, {"provider": provider, "repository": repository}).all()
    return [_pending(row) for row in itertools.takewhile(lambda row: row.size <= _SMALL, rows)]


def is_any_waiting(connection: Connection, *, provider: str, repository: str) -> bool:
    """Whether a push of this repository waits to be logged: hardly ever, so this is asked first."""
    return connection.execute(_IS_PENDING, {"provider": provider, "repository": repository}).first() is not None


def find(connection: Connection, *, provider: str, repository: str) -> list[tuple[int, int]]:
    """(seq, bytes of the body) of the next pushes of this repository that wait to be logged, oldest first."""
    asked = {"provider": provider, "repository": repository}
    return [(row.seq, row.size) for row in connection.execute(_PENDING, asked)]


def read(connection: Connection, seqs: Sequence[int]) -> list[PendingDelivery]:
    """These deliveries, oldest first; their bodies are in memory together."""
    return [_pending(row) for row in connection.execute(_READ, {"seqs": list(seqs)})]


def write(connection: Connection, entries: Sequence[PendingPush]) -> None:
    """Log pushes of one repository. What is there already stays as it is."""
    for entry in entries:
        if entry.push is not None:
            push_history.save_push(connection, entry.seq, entry.push, entry.commits, entry.at)
    connection.execute(_LOGGED, {"seqs": [entry.seq for entry in entries]})


def repositories(connection: Connection, limit: int) -> list[tuple[str, str]]:
    """(provider, repository) of pushes that nobody has logged yet, for the sweeper."""
    statement = sa.select(deliveries.c.provider, deliveries.c.repository).where(_TO_LOG).distinct().limit(limit)
    return [(row.provider, row.repository) for row in connection.execute(statement)]


def _pending(row: Any) -> PendingDelivery:
    return PendingDelivery(row.seq, row.created_at, row.headers, row.body)

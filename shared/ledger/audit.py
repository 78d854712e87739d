"""The audit log: who signed in, replayed, cancelled, paused or resumed, through which door. Append-only; never commits."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, Literal

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from shared.ledger.reporting_tables import audit

Door = Literal["dashboard", "api", "cli"]


def record(
    connection: Connection,
    *,
    door: Door,
    role: str,
    action: str,
    subject: str | None = None,
    detail: dict[str, Any] | None = None,
    address: str | None = None,
) -> int:
    """The entry's number. In the transaction of the act itself: both happen or neither."""
    values = {
        "at": datetime.now(UTC),
        "door": door,
        "role": role,
        "address": address[:64] if address else None,
        "action": action,
        "subject": subject[:512] if subject else None,
        "detail": detail,
    }
    return int(connection.execute(audit.insert().values(values).returning(audit.c.seq)).scalar_one())


def add_detail(connection: Connection, seq: int, detail: dict[str, Any]) -> None:
    """Complete an entry of the same transaction with what came of the act."""
    connection.execute(audit.update().where(audit.c.seq == seq).values(detail=detail))


def find(connection: Connection, seq: int) -> sa.Row[Any] | None:
    return connection.execute(sa.select(audit).where(audit.c.seq == seq)).one_or_none()


def list_entries(connection: Connection, *, before: int | None, limit: int) -> list[sa.Row[Any]]:
    """Newest first."""
    statement = sa.select(audit).order_by(audit.c.seq.desc()).limit(limit)
    return list(connection.execute(statement if before is None else statement.where(audit.c.seq < before)))

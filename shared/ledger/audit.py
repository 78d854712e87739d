"""The audit log: who signed in, replayed, cancelled, paused or resumed, through which door. Append-only; never commits."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Literal, cast

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from shared.ledger.reporting_tables import audit
from shared.ledger.rows import AuditRow

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


def complete(connection: Connection, seq: int, outcome: Mapping[str, Any]) -> None:
    """Add what came of an act to its entry, where that is known only at its end."""
    detail = connection.execute(sa.select(audit.c.detail).where(audit.c.seq == seq)).scalar_one_or_none()
    connection.execute(audit.update().where(audit.c.seq == seq).values(detail={**(detail or {}), **outcome}))


def find(connection: Connection, seq: int) -> AuditRow | None:
    return cast(AuditRow | None, connection.execute(sa.select(audit).where(audit.c.seq == seq)).one_or_none())


def list_entries(connection: Connection, *, before: int | None, limit: int) -> list[AuditRow]:
    """Newest first."""
    statement = sa.select(audit).order_by(audit.c.seq.desc()).limit(limit)
    statement = statement if before is None else statement.where(audit.c.seq < before)
    return cast("list[AuditRow]", connection.execute(statement).all())

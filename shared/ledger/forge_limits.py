"""A forge's rate limit, written down once so that every worker keeps to it. Takes a connection, never commits."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from shared.infra.database import upsert
from shared.ledger.tables import holds


@dataclass(frozen=True, slots=True)
class Hold:
    """No call of this scope (one token at one host) before `until`."""

    until: datetime
    detail: str


def hold(connection: Connection, scope: str, until: datetime, detail: str) -> None:
    """Hold every job of this scope; a later time replaces an earlier one, never the other way round."""
    statement = upsert(connection, holds).values(scope=scope, until=until, detail=detail)
    connection.execute(
        statement.on_conflict_do_update(
            index_elements=["scope"],
            set_={"until": statement.excluded.until, "detail": statement.excluded.detail},
            where=holds.c.until < statement.excluded.until,
        )
    )


def held(connection: Connection, scope: str, now: datetime) -> Hold | None:
    """The hold in force, if any."""
    row = connection.execute(
        sa.select(holds.c.until, holds.c.detail).where(holds.c.scope == scope, holds.c.until > now)
    ).one_or_none()
    return Hold(row.until, row.detail) if row else None

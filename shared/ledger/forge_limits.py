"""A forge's rate limits and refusals, written down once so that every worker keeps to them.

Takes a connection, never commits. A *scope* is one token at one host, or for a refusal also that token for one repository.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from shared.infra.database import upsert
from shared.ledger.tables import holds


@dataclass(frozen=True, slots=True, kw_only=True)
class Hold:
    """No call of this scope before `until`. A refusal has a repository to ask about whether it has ended, and a beginning."""

    scope: str
    until: datetime
    detail: str
    repository_key: str | None
    since: datetime | None

    @property
    def is_refusal(self) -> bool:
        return self.repository_key is not None


def hold(connection: Connection, scope: str, until: datetime, detail: str) -> None:
    """Hold every job of this scope; a later time replaces an earlier one, never the other way round."""
    statement = upsert(connection, holds).values(scope=scope, until=until, detail=detail)
    connection.execute(
        statement.on_conflict_do_update(
            index_elements=["scope"],
            set_={
                "until": statement.excluded.until,
                "detail": statement.excluded.detail,
                "repository_key": None,
                "since": None,
            },
            where=holds.c.until < statement.excluded.until,
        )
    )


def refuse(connection: Connection, scope: str, *, repository_key: str, detail: str, until: datetime, now: datetime) -> None:
    """Note that the forge refuses this scope: no call before `until`, when somebody asks about this repository again."""
    statement = upsert(connection, holds).values(
        scope=scope, until=until, detail=detail, repository_key=repository_key, since=now
    )
    new = statement.excluded
    connection.execute(
        statement.on_conflict_do_update(
            index_elements=["scope"],
            set_={
                "until": new.until,
                "detail": new.detail,
                "repository_key": new.repository_key,
                "since": sa.func.coalesce(holds.c.since, new.since),
            },
        )
    )


def held(connection: Connection, scopes: Collection[str], now: datetime) -> Hold | None:
    """The hold in force on any of these scopes; the one that ends last."""
    row = connection.execute(
        sa.select(holds).where(holds.c.scope.in_(scopes), holds.c.until > now).order_by(holds.c.until.desc()).limit(1)
    ).one_or_none()
    return None if row is None else Hold(**row._mapping)


def refusals(connection: Connection, *, limit: int) -> list[Hold]:
    """Refusals, those to be asked about first."""
    statement = sa.select(holds).where(holds.c.repository_key.is_not(None)).order_by(holds.c.until).limit(limit)
    return [Hold(**row._mapping) for row in connection.execute(statement)]


def ask_again(connection: Connection, refusal: Hold, *, until: datetime) -> bool:
    """Take the question whether a refusal has ended; False where another process has just taken it, or it has ended."""
    same = holds.c.scope == refusal.scope, holds.c.until == refusal.until, holds.c.repository_key.is_not(None)
    return connection.execute(holds.update().where(*same).values(until=until)).rowcount == 1


def release(connection: Connection, scope: str) -> None:
    """The forge refuses this scope no longer. A rate limit that took the place of the refusal stays."""
    connection.execute(holds.delete().where(holds.c.scope == scope, holds.c.repository_key.is_not(None)))

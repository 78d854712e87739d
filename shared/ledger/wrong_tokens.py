"""How many wrong operators' tokens each sender has sent lately, for all processes. Takes a connection, never commits."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import NamedTuple

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from shared.infra.database import upsert
from shared.ledger.reporting_tables import wrong_tokens


class Wrong(NamedTuple):
    since: datetime
    number: int


def find(connection: Connection, sender: str) -> Wrong | None:
    """What was counted of a sender in its last window, which may be over."""
    statement = sa.select(wrong_tokens.c.since, wrong_tokens.c.number).where(wrong_tokens.c.sender == sender)
    row = connection.execute(statement).one_or_none()
    return None if row is None else Wrong(row.since, row.number)


def count(connection: Connection, sender: str, now: datetime, window: timedelta) -> int:
    """One more; how many there are in the sender's window, which begins with the first of them."""
    statement = upsert(connection, wrong_tokens).values(sender=sender, since=now, number=1)
    is_over = wrong_tokens.c.since <= now - window
    changed = {
        "since": sa.case((is_over, statement.excluded.since), else_=wrong_tokens.c.since),
        "number": sa.case((is_over, 1), else_=wrong_tokens.c.number + 1),
    }
    counted = statement.on_conflict_do_update(index_elements=["sender"], set_=changed).returning(wrong_tokens.c.number)
    return int(connection.execute(counted).scalar_one())


def forget(connection: Connection, before: datetime) -> None:
    """Drop the windows that began before this."""
    connection.execute(wrong_tokens.delete().where(wrong_tokens.c.since <= before))

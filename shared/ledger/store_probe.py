"""A write as small as can be, which fails whenever a delivery could not be stored: the database only reads, its disk is full,
another program keeps it locked."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy.engine import Connection

from shared.infra.database import upsert
from shared.ledger.reporting_tables import tally_marks

_MARK = "probe"


def write(connection: Connection, now: datetime) -> None:
    """Note when somebody looked last. Raises SQLAlchemyError, as the commit after it does."""
    statement = upsert(connection, tally_marks).values(name=_MARK, until=now)
    connection.execute(statement.on_conflict_do_update(index_elements=["name"], set_={"until": now}))

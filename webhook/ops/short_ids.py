"""An id may be shortened to any beginning that only one row has."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy.engine import Connection

from shared.errors import Conflict
from shared.ledger.queries import lookup


def whole_job_id(connection: Connection, given: str) -> str:
    """The one id that `given` is, or begins; `given` itself where there is none. Raises Conflict for several."""
    return _one(given, lookup.job_ids(connection, given), "jobs")


def whole_delivery_id(connection: Connection, given: str, provider: str | None = None) -> str:
    """The same for a delivery of this provider, or of any."""
    return _one(given, lookup.delivery_ids(connection, given, provider), "deliveries")


def _one(given: str, fitting: Sequence[str], noun: str) -> str:
    if given in fitting or not fitting:
        return given
    if len(fitting) > 1:
        raise Conflict(f"{given} begins the ids of several {noun}: {', '.join(fitting)}")
    return fitting[0]

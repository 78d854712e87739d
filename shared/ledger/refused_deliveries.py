"""Deliveries that were refused, kept without their bodies. Takes a connection, never commits."""

from __future__ import annotations

from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from shared.ledger.tables import deliveries

_KEPT_REFUSALS = 1_000


def refuse(
    connection: Connection, *, provider: str, delivery_id: str, event: str, reason: str, detail: str, now: datetime
) -> None:
    """Remember a refused delivery, without its body, so that "signature wrong" can be found; the newest thousand stay."""
    seq = connection.execute(
        deliveries.insert()
        .values(
            delivery_id=delivery_id,
            dedupe_key=None,
            provider=provider,
            event=event,
            status="refused",
            reason=reason,
            detail=detail,
            jobs=[],
            created_at=now,
        )
        .returning(deliveries.c.seq)
    ).scalar_one()
    if seq % 50 == 0:  # now and then is enough, and keeps a refusal at one insert
        oldest_kept = (
            sa.select(deliveries.c.seq)
            .where(deliveries.c.status == "refused")
            .order_by(deliveries.c.seq.desc())
            .offset(_KEPT_REFUSALS)
            .limit(1)
            .scalar_subquery()
        )
        connection.execute(deliveries.delete().where(deliveries.c.status == "refused", deliveries.c.seq <= oldest_kept))

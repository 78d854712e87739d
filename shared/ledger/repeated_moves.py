"""Tells a ref that moves the same way once more from a delivery that was sent again. Takes a connection, never commits.

GitLab before 17.4 sends no id, so that the id is a digest of what happened: a tag that moves from A to B, back to A and to B
again says the same thing twice.
"""

from __future__ import annotations

import json

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from shared.domain.push import Push
from shared.domain.webhook import Hook
from shared.ledger.tables import deliveries, payloads


def own_id(connection: Connection, provider: str, hook: Hook) -> str | None:
    """The id of its own of a delivery whose digest is known; None for one that was sent again."""
    if not hook.is_id_derived or not isinstance(hook.content, Push):
        return None
    push = hook.content
    statement = (
        sa.select(deliveries.c.seq, deliveries.c.delivery_id, payloads.c.body)
        .join(payloads, payloads.c.delivery_seq == deliveries.c.seq)
        .where(
            deliveries.c.provider == provider,
            deliveries.c.repository == push.repository.full_name,
            deliveries.c.ref == push.ref.full,
        )
        .order_by(deliveries.c.seq.desc())
        .limit(1)
    )
    latest = connection.execute(statement).one_or_none()
    if latest is None or latest.delivery_id == hook.delivery_id:
        return None
    if latest.delivery_id.startswith(f"{hook.delivery_id}-"):
        return str(latest.delivery_id)
    return f"{hook.delivery_id}-{latest.seq}" if _end_of_push(latest.body) == push.before else None


def _end_of_push(body: bytes) -> str | None:
    """Where a stored push says that its ref stood afterwards."""
    try:
        end = json.loads(body)["after"]
    except (ValueError, TypeError, KeyError, RecursionError):
        return None
    return end if isinstance(end, str) else None

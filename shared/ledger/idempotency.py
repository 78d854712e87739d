"""Keeps the answers of requests that carried an Idempotency-Key. Takes a connection, never commits.

The key is written in the transaction of the act itself: both happen or neither, and a second request with the same key
waits for the first and then gets its answer.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any, NamedTuple

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from shared.errors import Conflict
from shared.infra.database import upsert
from shared.ledger.tables import kept_answers

KEEP = timedelta(hours=24)


class Request(NamedTuple):
    """A request that carries an Idempotency-Key. `scope`: method and path; `content`: query and body, which must not differ."""

    scope: str
    key: str
    content: bytes


def once(connection: Connection, request: Request, act: Callable[[], dict[str, Any]], *, now: datetime) -> dict[str, Any]:
    """What `act` answers, or answered when this key came before. Raises Conflict when it came with another content."""
    digest = hashlib.sha256(request.content).hexdigest()
    mine = (kept_answers.c.scope == request.scope, kept_answers.c.key == request.key)
    connection.execute(kept_answers.delete().where(*mine, kept_answers.c.created_at < now - KEEP))
    claim = upsert(connection, kept_answers).values(scope=request.scope, key=request.key, digest=digest, created_at=now)
    claim = claim.on_conflict_do_nothing(index_elements=["scope", "key"]).returning(kept_answers.c.key)
    if connection.execute(claim).first() is not None:
        answer = act()
        connection.execute(kept_answers.update().where(*mine).values(body=answer))
        return answer
    kept = connection.execute(sa.select(kept_answers.c.digest, kept_answers.c.body).where(*mine)).one()
    if kept.digest != digest:
        raise Conflict("this Idempotency-Key was used with another query or body")
    return dict(kept.body)

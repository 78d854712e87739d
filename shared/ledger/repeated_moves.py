"""Tells a ref that moves the same way once more from a delivery that was sent again. Takes a connection, never commits.

GitLab before 17.4 sends no id, so that the id is a digest of what happened: a tag that moves from A to B, back to A and to B
again says the same thing twice.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from urllib.parse import unquote_to_bytes

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from shared.domain.moves import Move, is_new_move
from shared.domain.push import Push
from shared.domain.webhook import Hook
from shared.ledger.tables import deliveries, payloads

_HOOK_HEADERS = ("x-github-hook-id", "x-gitlab-webhook-uuid")
_MOST_MOVES = 20  # that are looked back on
_BEGINNING = 4096  # bytes of a body: both providers say early where the ref stood
_END = re.compile(rb'"(before|after)"\s*:\s*"([0-9a-f]{40,64})"')  # never inside a text: there the quotes are escaped
_EARLIER = (
    sa.select(
        deliveries.c.seq,
        deliveries.c.delivery_id,
        payloads.c.headers,
        sa.func.substr(payloads.c.body, 1, _BEGINNING, type_=sa.LargeBinary).label("beginning"),
    )
    .join(payloads, payloads.c.delivery_seq == deliveries.c.seq)
    .where(
        deliveries.c.provider == sa.bindparam("provider"),
        deliveries.c.repository == sa.bindparam("repository"),
        deliveries.c.ref == sa.bindparam("ref"),
    )
    .order_by(deliveries.c.seq.desc())
)


def own_id(connection: Connection, provider: str, hook: Hook) -> str | None:
    """The id of its own of a delivery whose digest is known; None for one that was sent again."""
    if not hook.is_id_derived or not isinstance(hook.content, Push):
        return None
    push = hook.content
    latest = connection.execute(_EARLIER.limit(1), _asked(provider, push)).one_or_none()
    if latest is None or latest.delivery_id == hook.delivery_id:
        return None
    if latest.delivery_id.startswith(f"{hook.delivery_id}-"):
        return str(latest.delivery_id)
    ends = _ends_of_push(latest.beginning)
    return f"{hook.delivery_id}-{latest.seq}" if ends is not None and ends[1] == push.before else None


def is_new(connection: Connection, provider: str, push: Push, headers: Mapping[str, str], seq: int) -> bool:
    """Whether this push, stored as `seq`, moved its ref: no second hook telling of a push that is known."""
    rows = connection.execute(_EARLIER.where(deliveries.c.seq < seq).limit(_MOST_MOVES), _asked(provider, push))
    earlier = [Move(*ends, _hook(row.headers)) for row in rows if (ends := _ends_of_push(row.beginning)) is not None]
    return is_new_move(Move(push.before, push.after, _hook(headers)), earlier)


def _asked(provider: str, push: Push) -> dict[str, str]:
    return {"provider": provider, "repository": push.repository.full_name, "ref": push.ref.full}


def _hook(headers: Mapping[str, str]) -> str | None:
    return next((headers[name] for name in _HOOK_HEADERS if name in headers), None)


def _ends_of_push(beginning: bytes) -> tuple[str, str] | None:
    """Where a stored push, JSON or GitHub's form, says that its ref stood before and afterwards."""
    found = dict(_END.findall(unquote_to_bytes(beginning) if beginning.startswith(b"payload=") else beginning)[:2])
    return (found[b"before"].decode(), found[b"after"].decode()) if len(found) == 2 else None

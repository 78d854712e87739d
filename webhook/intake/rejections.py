"""Remembers refused deliveries, at most ten a second, so that "signature wrong" can be found. Never fails a request."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from sqlalchemy.engine import Engine
from sqlalchemy.exc import SQLAlchemyError

from shared.domain.ids import new_id
from shared.domain.reasons import Reason
from shared.errors import BadSignature, NoSignature, Rejected, SourceMismatch
from shared.forges import PROVIDERS
from shared.infra import logs
from shared.infra.token_buckets import TokenBuckets
from shared.ledger import refused_deliveries

_PER_SECOND = 10.0
_ID_HEADERS = ("webhook-id", *(provider.id_header for provider in PROVIDERS.values()))
_EVENT_HEADERS = tuple(provider.event_header for provider in PROVIDERS.values())
_REASONS = {  # a subclass stands before its base
    NoSignature: Reason.SIGNATURE_MISSING,
    SourceMismatch: Reason.SOURCE_MISMATCH,
    BadSignature: Reason.SIGNATURE_WRONG,
}
_PRINTABLE = re.compile(r"[^\x20-\x7e]")

logger = logs.get(__name__)


class Refusals:
    """A bucket of ten that refills in a second: a flood of forged requests costs no more rows and log lines than that."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._bucket = TokenBuckets(_PER_SECOND, _PER_SECOND)

    def remember(
        self, provider: str, headers: Mapping[str, str], problem: Rejected, now: datetime
    ) -> Callable[[], None] | None:
        """What writes it down, to be called where one may wait; None when too many came at once."""
        reason = next((code for kind, code in _REASONS.items() if isinstance(problem, kind)), Reason.PAYLOAD_REFUSED)
        # One without an id gets one, so that it has a page of its own.
        delivery_id = _first(headers, _ID_HEADERS, 200) or f"none-{new_id(now)}"
        event = _first(headers, _EVENT_HEADERS, 100) or "-"
        if self._bucket.take():
            return None
        logger.warning("delivery.refused", provider=provider, delivery=delivery_id, reason=reason, detail=str(problem))
        values = {"provider": provider, "delivery_id": delivery_id, "event": event, "reason": reason, "detail": str(problem)}
        return lambda: self._write(**values, now=now)

    def _write(self, **values: Any) -> None:
        try:
            with self._engine.begin() as connection:
                refused_deliveries.refuse(connection, **values)
        except SQLAlchemyError as fault:
            logger.warning("delivery.refusal_unstored", error=type(fault).__name__)


def _first(headers: Mapping[str, str], names: tuple[str, ...], limit: int) -> str:
    """The sender's own words are unverified here: printable ASCII, bounded; empty without any."""
    for name in names:
        if value := _PRINTABLE.sub("", headers.get(name, ""))[:limit]:
            return value
    return ""

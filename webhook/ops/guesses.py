"""Slows down whoever guesses at the operators' tokens, at the sign-in and at the API, by sender and for all processes."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from sqlalchemy.engine import Engine

from shared.infra.database import reading
from shared.infra.token_buckets import TokenBuckets
from shared.ledger import wrong_tokens
from webhook.http.client_address import group

_WINDOW = timedelta(minutes=1)
_WRITES = 50.0  # a second and process: a flood of wrong tokens must not keep webhooks from being stored
_ALL = "*"  # is no sender's name


class Guesses:
    """At most `tries` wrong tokens a minute from one sender (an IPv4 address, an IPv6 /64); what it asks for meanwhile is
    refused, also with the right token. Any other sender is not concerned.

    Of all wrong tokens together at most `lines` a minute are worth a line of the audit log, which nothing ever shortens.
    """

    def __init__(
        self,
        engine: Engine,
        tries: int = 5,
        lines: int = 60,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        writes: float = _WRITES,
    ) -> None:
        self._engine, self._tries, self._lines, self._clock = engine, tries, lines, clock
        self._writes = TokenBuckets(writes, writes)

    def wait(self, address: str | None) -> int:
        """Seconds until this sender may try again, 0 for now."""
        with reading(self._engine).begin() as connection:
            found = wrong_tokens.find(connection, group(address))
        if found is None or found.number < self._tries:
            return 0
        left = (found.since + _WINDOW - self._clock()).total_seconds()
        return max(1, round(left)) if left > 0 else 0

    def note_wrong(self, address: str | None) -> bool:
        """Whether this one is to be written down."""
        if self._writes.take():
            return False
        now = self._clock()
        with self._engine.begin() as connection:
            wrong_tokens.count(connection, group(address), now, _WINDOW)
            lines = wrong_tokens.count(connection, _ALL, now, _WINDOW)
            if lines == 1:
                wrong_tokens.forget(connection, now - _WINDOW)
        return lines <= self._lines

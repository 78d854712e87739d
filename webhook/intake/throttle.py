"""Counts refused requests by sender, and says when one has had too many. Never asked about a request that is authentic.

What is spared is what a refusal costs us: its row, its log line, its own answer. Verification goes on all the same, since a
provider's deliveries may come from the very same address, through one proxy (docs/decisions/0009).
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable

from shared.errors import TooManyRefusals
from shared.infra import logs
from shared.infra.token_buckets import TokenBuckets
from webhook.http.client_address import group

_TELL_AGAIN_SECONDS = 60.0

logger = logs.get(__name__)


class Throttle:
    """`burst` refusals at once and `per_second` in the long run, for each sender; at most `most` senders are remembered."""

    def __init__(
        self,
        burst: int = 300,
        per_second: float = 2.0,
        most: int = 10_000,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._limits = {"burst": burst, "per_second": per_second}
        self._buckets = TokenBuckets(burst, per_second, most, clock)
        self._news = TokenBuckets(1, 1 / _TELL_AGAIN_SECONDS, most, clock)

    def note(self, address: str | None) -> None:
        """One more refusal. Raises TooManyRefusals when the sender has had too many."""
        name = group(address)
        if not (wait := self._buckets.take(name)):
            return
        if not self._news.take(name):
            logger.warning("refusals.throttled", sender=name, **self._limits)
        raise TooManyRefusals(max(1, math.ceil(wait)))

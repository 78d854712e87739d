"""Counts refused requests by sender, and says when one has had too many. Never asked about a request that is authentic.

What is spared is what a refusal costs us: its row, its log line, its own answer. Verification goes on all the same, since a
provider's deliveries may come from the very same address, through one proxy (docs/decisions/0009).
"""

from __future__ import annotations

import math
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

from shared.errors import TooManyRefusals
from shared.infra import logs
from webhook.http.client_address import group

_TELL_AGAIN_SECONDS = 60.0

logger = logs.get(__name__)


@dataclass(slots=True)
class _Sender:
    """`left` refusals as of `since`; when the log was last told that there were too many."""

    left: float
    since: float
    told_at: float = float("-inf")


class Throttle:
    """`burst` refusals at once and `per_second` in the long run, for each sender; at most `most` senders are remembered."""

    def __init__(
        self,
        burst: int = 300,
        per_second: float = 2.0,
        most: int = 10_000,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._burst, self._per_second, self._most, self._clock = burst, per_second, most, clock
        self._lock = threading.Lock()
        self._known: OrderedDict[str, _Sender] = OrderedDict()

    def note(self, address: str | None) -> None:
        """One more refusal. Raises TooManyRefusals when the sender has had too many."""
        name = group(address)
        with self._lock:
            now = self._clock()
            sender = self._known.pop(name, None) or _Sender(float(self._burst), now)
            sender.left = min(float(self._burst), sender.left + (now - sender.since) * self._per_second)
            sender.since = now
            is_too_many = sender.left < 1
            if not is_too_many:
                sender.left -= 1
            is_news = is_too_many and now - sender.told_at >= _TELL_AGAIN_SECONDS
            if is_news:
                sender.told_at = now
            self._known[name] = sender
            while len(self._known) > self._most:
                self._known.popitem(last=False)
        if is_news:
            logger.warning("refusals.throttled", sender=name, burst=self._burst, per_second=self._per_second)
        if is_too_many:
            raise TooManyRefusals(max(1, math.ceil((1 - sender.left) / self._per_second)))

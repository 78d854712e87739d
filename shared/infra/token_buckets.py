"""Limits on how often something may happen, by key, in the memory of one process."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable


class TokenBuckets:
    """`burst` at once and `per_second` in the long run, for each key; the `most` keys that came last are remembered."""

    def __init__(self, burst: float, per_second: float, most: int = 1, clock: Callable[[], float] = time.monotonic) -> None:
        self._burst, self._per_second, self._most, self._clock = burst, per_second, most, clock
        self._lock = threading.Lock()
        self._known: OrderedDict[str, tuple[float, float]] = OrderedDict()  # key -> how many were left, and when

    def take(self, key: str = "") -> float:
        """0 when there was one; else the seconds until there is one again."""
        with self._lock:
            now = self._clock()
            left, since = self._known.pop(key, (self._burst, now))
            left = min(self._burst, left + (now - since) * self._per_second)
            is_taken = left >= 1
            self._known[key] = (left - is_taken, now)
            while len(self._known) > self._most:
                self._known.popitem(last=False)
        return 0.0 if is_taken else (1 - left) / self._per_second

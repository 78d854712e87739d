"""The exact counts of all jobs and deliveries: read anew for each caller, and kept for a moment once very much is stored.

With two million rows counting takes a tenth of a second: harmless once, but any number of monitors may ask.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

Counts = dict[str, dict[str, int]]

MANY = 100_000  # rows from which on counts are kept
_SECONDS_A_ROW = 2e-6  # some twenty times what counting it takes
_LONGEST_SECONDS = 15.0


class KeptCounts:
    """One a process. Whoever comes while another one counts waits for that one's answer."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._kept: Counts = {}
        self._until = float("-inf")

    def read(self, count: Callable[[], Counts]) -> Counts:
        """What `count` gives, or gave a few seconds ago when there was much to count."""
        with self._lock:
            if self._clock() >= self._until:
                self._kept = count()
                rows = sum(sum(counted.values()) for counted in self._kept.values())
                self._until = self._clock() + (min(rows * _SECONDS_A_ROW, _LONGEST_SECONDS) if rows >= MANY else 0.0)
            return self._kept

"""Whether deliveries could be stored lately. Each server process counts for itself."""

from __future__ import annotations

import time
from collections.abc import Callable

FAILURES = 2  # one after another: a single one may be a connection that was closed
LOOK_AGAIN_SECONDS = 10.0  # then a probe alone may say that all is well: nobody may send while we say that we are not ready


class StoreHealth:
    """`note` each attempt to store; `is_failing` what they say together. A number and a time: no lock is needed."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._failures = 0
        self._failed_at = 0.0

    def note(self, *, is_stored: bool) -> None:
        if is_stored:
            self._failures = 0
        else:
            self._failures += 1
            self._failed_at = self._clock()

    def is_failing(self) -> bool:
        return self._failures >= FAILURES and self._clock() - self._failed_at < LOOK_AGAIN_SECONDS

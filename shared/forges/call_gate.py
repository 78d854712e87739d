"""Whose turn it is to call a forge: the jobs of a process call with one token one after another. Makes no call itself."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime

from shared.infra.http_client import Deadline

_LONGEST_WAIT = 5.0  # seconds: an answer that takes longer does not keep the others any more
_LOOK_AGAIN = 0.25  # is it time to stop?


@dataclass(frozen=True, slots=True)
class Limit:
    """No call before `until`, because of an answer of this status. `why`: what a refusal said, None for a rate limit."""

    until: datetime
    status: int
    why: str | None = None


class Turns:
    """One call at a time, and the limit or refusal that one of them met: those that waited meanwhile need not meet it, too.

    https://docs.github.com/en/rest/using-the-rest-api/best-practices-for-using-the-rest-api#avoid-concurrent-requests
    """

    def __init__(self) -> None:
        self._turn = threading.Lock()
        self.limit: Limit | None = None

    @contextmanager
    def take(self, deadline: Deadline) -> Iterator[None]:
        """Wait for the turn, and have it until the end of the block."""
        end = time.monotonic() + min(_LONGEST_WAIT, deadline.left())
        is_ours = self._turn.acquire(blocking=False)
        while not is_ours and (left := min(end - time.monotonic(), deadline.left())) > 0:
            is_ours = self._turn.acquire(timeout=min(left, _LOOK_AGAIN))
        try:
            yield
        finally:
            if is_ours:
                self._turn.release()

"""How long this thread may wait for the database, all its statements together."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

_local = threading.local()
_ORDINARY = -1.0  # no block of `waiting_at_most` is around us


@contextmanager
def waiting_at_most(seconds: float | None) -> Iterator[None]:
    """Until the block ends all waits together may take `seconds`, and no longer than a block around it allows; None: as long as
    they like."""
    before = getattr(_local, "until", _ORDINARY)
    until = None if seconds is None else time.monotonic() + seconds
    _local.until = min(until, before) if until is not None and before is not None and before != _ORDINARY else until
    try:
        yield
    finally:
        _local.until = before


def patience(ordinary: float) -> float | None:
    """How many seconds the next wait may take: `ordinary` where nobody says otherwise, None for no limit."""
    until = getattr(_local, "until", _ORDINARY)
    if until is None:
        return None
    return ordinary if until == _ORDINARY else max(0.0, until - time.monotonic())

"""Ends a process when it is told to. A signal may come at any moment, also twice: nothing here waits for a lock.

A handler runs between two steps of the main thread. `Event.set` takes the event's lock: where the main thread was just
inside `Event.wait`, or in the handler of an earlier signal, the process would wait for itself for ever. A parent's death
tells a child once for each of the parent's threads, so the second signal is no rare thing.
"""

from __future__ import annotations

import _thread
import contextlib
import ctypes
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterable

_PR_SET_PDEATHSIG = 1


def aside(function: Callable[[], object]) -> None:
    """Run `function` in a thread of its own; to be called from a signal handler. `threading.Thread` takes locks itself."""
    with contextlib.suppress(RuntimeError):  # the interpreter ends already: there is nothing left to tell
        _thread.start_new_thread(function, ())


def set_on(
    event: threading.Event,
    numbers: Iterable[signal.Signals] = (signal.SIGTERM, signal.SIGINT),
    *,
    end_after: float | None = None,
) -> None:
    """From now on each of these signals sets `event`; `end_after` so many seconds the process ends, whatever it waits for."""

    def obey() -> None:
        event.set()
        if end_after is not None:
            time.sleep(end_after)
            os._exit(0)

    for number in numbers:
        signal.signal(number, lambda *_: aside(obey))


def die_with_parent(number: signal.Signals) -> None:
    """On Linux this process gets the signal when its parent (the thread that started it) ends, however that ends."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, number)

"""Signals that end a process, at the worst moments: while the event's lock is held, and many in a row."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest

from shared.infra.shutdown import aside, set_on


@pytest.fixture(autouse=True)
def kept_handler() -> Iterator[None]:
    before = signal.getsignal(signal.SIGUSR1)
    yield
    signal.signal(signal.SIGUSR1, before)


def test_a_signal_sets_the_event() -> None:
    event = threading.Event()
    set_on(event, (signal.SIGUSR1,))
    assert not event.is_set()
    signal.raise_signal(signal.SIGUSR1)
    assert event.wait(5)


def test_a_signal_inside_wait_does_not_wait_for_itself() -> None:
    event = threading.Event()
    set_on(event, (signal.SIGUSR1,))
    lock: Any = event._cond  # type: ignore[attr-defined]  # what `wait` and `set` hold for a moment
    with lock:
        signal.raise_signal(signal.SIGUSR1)
        signal.raise_signal(signal.SIGUSR1)
    assert event.wait(5)


def test_what_is_run_aside_runs_in_another_thread() -> None:
    seen: list[int] = []
    aside(lambda: seen.append(threading.get_ident()))
    deadline = time.monotonic() + 5
    while not seen and time.monotonic() < deadline:
        time.sleep(0.001)
    assert seen
    assert seen != [threading.get_ident()]


_WAITING = """
import threading
from shared.infra.shutdown import set_on
event = threading.Event()
set_on(event)
print("up", flush=True)
while not event.wait(0.0001):
    pass
"""


def test_a_shower_of_signals_ends_a_process_that_waits_in_short_steps() -> None:
    with subprocess.Popen([sys.executable, "-c", _WAITING], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"up\n"
        for _ in range(50):
            process.send_signal(signal.SIGTERM)
        assert process.wait(10) in (0, -signal.SIGTERM)

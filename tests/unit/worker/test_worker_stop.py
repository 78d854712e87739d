"""The end of a worker that Celery has not ended in time: what it holds is handed back, and it ends whatever happens to that."""

from __future__ import annotations

import os
import threading
import time
from typing import Any

import pytest
from sqlalchemy.exc import OperationalError

from worker.app import HAND_BACK_SECONDS, STOP_SECONDS, _stop_in_time


class Held:
    """A runner that holds jobs; `hand_back` ends as it is told to."""

    def __init__(self, fault: Exception | None = None, seconds: float = 0.0) -> None:
        self.stopping = threading.Event()
        self.was_asked = False
        self._fault, self._seconds = fault, seconds

    def hand_back(self) -> list[str]:
        assert self.stopping.is_set()
        self.was_asked = True
        time.sleep(self._seconds)
        if self._fault is not None:
            raise self._fault
        return []


@pytest.fixture
def ends(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The moments at which the process would have ended."""
    found: list[float] = []
    monkeypatch.setattr(os, "_exit", lambda _: found.append(time.monotonic()))
    return found


def stop(runner: Any, most: float = 0.2) -> float:
    began = time.monotonic()
    _stop_in_time(runner, 0.05, most)
    return began


@pytest.mark.parametrize("fault", [None, OperationalError("UPDATE jobs", {}, Exception("no connection")), ValueError("odd")])
def test_it_ends_also_when_nothing_can_be_handed_back(ends: list[float], fault: Exception | None) -> None:
    runner = Held(fault)
    began = stop(runner, most=60)
    assert runner.was_asked
    assert 0.05 <= ends[0] - began < 60


def test_it_ends_in_time_also_when_the_database_does_not_answer(ends: list[float]) -> None:
    began = stop(Held(seconds=1.0))
    assert 0.2 <= ends[0] - began < 0.9


def test_both_together_leave_room_below_thirty_seconds() -> None:
    assert STOP_SECONDS + HAND_BACK_SECONDS <= 28

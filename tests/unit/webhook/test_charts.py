"""What the charts draw, as values."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import pytest

from webhook.dashboard.charts import WIDTH, Dot, draw_attempts

START = datetime(2026, 11, 27, 12, tzinfo=UTC)
END = WIDTH - 20


def dots(seconds: Sequence[float], next_in: float | None = None) -> list[Dot]:
    attempts = [
        SimpleNamespace(number=number, started_at=START + timedelta(seconds=after), outcome="failed")
        for number, after in enumerate(seconds, 1)
    ]
    next_at = None if next_in is None else START + timedelta(seconds=next_in)
    return draw_attempts(attempts, START, next_at, START + timedelta(hours=2))


@pytest.mark.parametrize("seconds", [[0.2], [4.0], [0.0], [0.1, 0.7], [1.0, 5.0, 900.0]])
def test_the_last_attempt_stands_at_the_end_of_its_line(seconds: list[float]) -> None:
    places = [dot.x for dot in dots(seconds)]
    assert places == sorted(places)
    assert places[0] >= 20
    assert places[-1] == (END if seconds[-1] else 20)


def test_the_next_attempt_stands_at_the_end_and_never_before_now() -> None:
    *_, last = dots([1.0, 3.0], next_in=20.0)
    assert (last.kind, last.x, last.title) == ("next", END, "next attempt, 7200.0 s after the webhook")


def test_without_attempts_there_is_nothing_to_draw() -> None:
    assert dots([]) == []

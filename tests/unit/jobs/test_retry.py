"""Whether and when a failed attempt is tried again: a table, and what holds for every wait."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.errors import PermanentError, TransientError
from tests.builders import NOW, examples
from worker.jobs.retry_policy import GiveUp, RetryAt, RetryPolicy, decide_retry, wait

POLICY = RetryPolicy()
DRAWS = st.floats(0, 1, exclude_max=True)
BUDGET = 12


def decide(error: Exception, *, tried: int = 1, draw: float = 0.0) -> RetryAt | GiveUp:
    return decide_retry(error, tried=tried, allowed=BUDGET, now=NOW, random=lambda: draw, policy=POLICY)


def test_a_permanent_error_gives_up_at_once_with_its_reason() -> None:
    error = PermanentError("unknown project", reason="project_unknown", status=400)
    assert decide(error) == GiveUp(reason="project_unknown", error="unknown project", http_status=400)


def test_a_passing_error_is_tried_again_with_its_reason() -> None:
    decision = decide(TransientError("busy", reason="rate_limited", status=429))
    assert decision == RetryAt(at=NOW + timedelta(seconds=1), reason="rate_limited", error="busy", http_status=429)


@pytest.mark.parametrize("error", [ValueError("hush"), KeyError("hush"), RecursionError("hush")])
def test_what_nobody_planned_for_is_passing_and_its_text_stays_in_the_log(error: Exception) -> None:
    decision = decide(error)
    assert isinstance(decision, RetryAt)
    assert (decision.reason, decision.http_status) == (None, None)
    assert decision.error == f"unexpected {type(error).__name__}; the log has its trace"


@pytest.mark.parametrize(("tried", "is_over"), [(1, False), (BUDGET - 1, False), (BUDGET, True), (BUDGET + 5, True)])
def test_the_budget_ends_the_trying(tried: int, is_over: bool) -> None:
    decision = decide(TransientError("busy", reason="rate_limited", status=503), tried=tried)
    assert isinstance(decision, GiveUp) is is_over
    if is_over:
        wanted = GiveUp(reason="attempts_exhausted", error=f"gave up after {tried} attempts; the last: busy", http_status=503)
        assert decision == wanted


def test_an_unexpected_error_ends_with_the_budget_too() -> None:
    assert isinstance(decide(ValueError("x"), tried=BUDGET), GiveUp)


@pytest.mark.parametrize(
    ("tried", "draw", "seconds"),
    [
        (1, 0.0, 1),
        (1, 1.0, 2),
        (2, 0.0, 3),
        (2, 0.5, 4.5),
        (3, 0.0, 9),
        (5, 1.0, 162),
        (8, 0.0, 1_800),
        (8, 1.0, 3_600),
        (500, 1.0, 3_600),
    ],
)
def test_a_wait_is_half_of_the_growing_time_and_a_random_half(tried: int, draw: float, seconds: float) -> None:
    assert wait(tried, None, draw, POLICY) == timedelta(seconds=seconds)


@pytest.mark.parametrize(
    ("asked", "seconds"),
    [
        (timedelta(seconds=30), 30),
        (timedelta(0), 1),
        (timedelta(seconds=-5), 1),
        (timedelta(hours=1), 3_600),
        (timedelta(days=9), 3_600),
    ],
)
def test_what_the_other_side_asks_for_is_honoured_up_to_the_cap(asked: timedelta, seconds: int) -> None:
    decision = decide(TransientError("busy", retry_after=asked))
    assert isinstance(decision, RetryAt)
    assert decision.at == NOW + timedelta(seconds=seconds)


@given(st.integers(1, 10_000), DRAWS, st.none() | st.timedeltas())
@examples(200)
def test_no_wait_is_ever_negative_or_beyond_the_cap(tried: int, draw: float, asked: timedelta | None) -> None:
    waiting = wait(tried, asked, draw, POLICY)
    assert timedelta(0) < waiting <= POLICY.longest
    assert asked is None or waiting >= min(asked, POLICY.longest)


@given(st.integers(1, 6), DRAWS, DRAWS)
@examples(100)
def test_waits_grow_until_the_cap_whatever_the_dice_say(tried: int, first: float, second: float) -> None:
    assert wait(tried, None, first, POLICY) < wait(tried + 1, None, second, POLICY)


def test_two_jobs_that_fail_together_do_not_come_back_together() -> None:
    assert len({wait(4, None, draw / 10, POLICY) for draw in range(10)}) == 10


def test_the_whole_budget_spans_hours() -> None:
    shortest = sum((wait(tried, None, 0.0, POLICY) for tried in range(1, BUDGET)), timedelta())
    assert timedelta(hours=2) < shortest < timedelta(hours=12)

"""A process beside: what it answers, how it ends, and that whoever asked hears of it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

import pytest

from shared.infra.helper_process import Helper, HelperDied


@pytest.fixture
def helper() -> Iterator[Helper]:
    made = Helper("tests.odd_helper", seconds=100)
    yield made
    made.close()


def wait_until(is_so: Callable[[], bool]) -> None:
    end = time.monotonic() + 20
    while not is_so():
        assert time.monotonic() < end
        time.sleep(0.02)


def test_it_answers_one_after_another_and_ends_when_idle_and_begins_anew(
    helper: Helper, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SENTRY_AUTH_TOKEN", "hush")
    assert helper.ask([b"abc"]) == [b"cba", b"end"]
    assert b"SENTRY" not in helper.ask([b"environ"])[0]
    first = helper.pid
    wait_until(lambda: helper.pid is None)
    assert helper.ask([b"x" * 3_000_000]) == [b"x" * 3_000_000, b"end"]
    assert helper.pid != first


@pytest.mark.parametrize(("frame", "is_ours"), [(b"kill", False), (b"abort", True), (b"spin", True), (b"fill", True)])
def test_its_death_is_an_error_that_says_whose_fault_it_was_and_the_next_one_is_served(
    helper: Helper, frame: bytes, is_ours: bool
) -> None:
    with pytest.raises(HelperDied) as caught:
        helper.ask([frame])
    assert (caught.value.is_ours, caught.value.is_late) == (is_ours, False)
    assert helper.ask([b"abc"]) == [b"cba", b"end"]


def test_what_takes_too_long_is_killed(helper: Helper) -> None:
    helper._seconds = 0.5
    with pytest.raises(HelperDied, match=r"more than 0\.5 s") as caught:
        helper.ask([b"sleep"])
    assert (caught.value.is_ours, caught.value.is_late) == (False, True)
    assert helper.pid is None

"""How many refusals one sender may cause: a burst, then so many a second, and senders do not share."""

from __future__ import annotations

import pytest

from shared.errors import TooManyRefusals
from webhook.intake.throttle import Throttle


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


def refused(throttle: Throttle, address: str | None, times: int) -> list[int | None]:
    """Of so many refusals, how long each that was too many is asked to wait."""
    waits: list[int | None] = []
    for _ in range(times):
        try:
            throttle.note(address)
            waits.append(None)
        except TooManyRefusals as problem:
            waits.append(problem.retry_after)
    return waits


def test_after_the_burst_each_further_refusal_is_too_many() -> None:
    assert refused(Throttle(burst=3, clock=Clock()), "192.0.2.1", 5) == [None, None, None, 1, 1]


def test_room_comes_back_by_the_second_up_to_the_burst() -> None:
    clock = Clock()
    throttle = Throttle(burst=3, per_second=2.0, clock=clock)
    refused(throttle, "192.0.2.1", 3)
    clock.now += 1.0
    assert refused(throttle, "192.0.2.1", 3) == [None, None, 1]
    clock.now += 3600
    assert refused(throttle, "192.0.2.1", 4) == [None, None, None, 1]


@pytest.mark.parametrize(("per_second", "wait"), [(2.0, 1), (0.5, 2), (0.1, 10)])
def test_the_answer_says_when_there_is_room_again(per_second: float, wait: int) -> None:
    clock = Clock()
    throttle = Throttle(burst=1, per_second=per_second, clock=clock)
    assert refused(throttle, "192.0.2.1", 2) == [None, wait]
    clock.now += wait
    assert refused(throttle, "192.0.2.1", 1) == [None]


def test_senders_do_not_share_but_one_network_of_ipv6_is_one_sender() -> None:
    throttle = Throttle(burst=1, clock=Clock())
    assert refused(throttle, "192.0.2.1", 1) == refused(throttle, "192.0.2.2", 1) == [None]
    assert refused(throttle, "2001:db8::1", 1) == [None]
    assert refused(throttle, "2001:db8::2", 1) == [1]
    assert refused(throttle, None, 2) == [None, 1]


def test_only_so_many_senders_are_remembered_and_the_one_heard_least_lately_goes_first() -> None:
    throttle = Throttle(burst=1, most=2, clock=Clock())
    for address in ("192.0.2.1", "192.0.2.2"):
        refused(throttle, address, 1)
    assert refused(throttle, "192.0.2.1", 1) == [1]  # heard again, so the other one is forgotten next
    refused(throttle, "192.0.2.3", 1)
    assert refused(throttle, "192.0.2.1", 1) == [1]
    assert refused(throttle, "192.0.2.2", 1) == [None]

"""Counts are of now while little is stored; of much, they are taken once for all who ask within a moment."""

from __future__ import annotations

import threading

from webhook.ops.stats_cache import MANY, Counts, KeptCounts


class Ledger:
    """Has so many rows, a clock of its own, and remembers how often it was counted."""

    def __init__(self, rows: int) -> None:
        self.now, self.rows, self.counted = 0.0, rows, 0
        self.kept = KeptCounts(lambda: self.now)

    def _count(self) -> Counts:
        self.counted += 1
        return {"jobs": {"failed": self.counted}, "deliveries": {"accepted": self.rows}}

    def read(self) -> int:
        return self.kept.read(self._count)["jobs"]["failed"]


def test_counts_of_little_are_always_of_now() -> None:
    ledger = Ledger(MANY - 10)
    assert [ledger.read() for _ in range(3)] == [1, 2, 3]


def test_counts_of_much_are_kept_for_two_seconds_a_million() -> None:
    ledger = Ledger(2_000_000)
    assert [ledger.read() for _ in range(3)] == [1, 1, 1]
    ledger.now = 3.9
    assert ledger.read() == 1
    ledger.now = 4.1
    assert ledger.read() == 2


def test_nothing_is_kept_for_longer_than_a_quarter_of_a_minute() -> None:
    ledger = Ledger(10**9)
    ledger.read()
    ledger.now = 15.1
    assert ledger.read() == 2


def test_many_who_ask_at_once_cost_one_count() -> None:
    kept, begun, may_end, times = KeptCounts(lambda: 0.0), threading.Event(), threading.Event(), []

    def count() -> Counts:
        times.append(1)
        begun.set()
        assert may_end.wait(10)
        return {"jobs": {"succeeded": MANY}}

    first = threading.Thread(target=kept.read, args=(count,))
    first.start()
    assert begun.wait(10)
    others = [threading.Thread(target=kept.read, args=(count,)) for _ in range(5)]
    for other in others:
        other.start()
    may_end.set()
    for thread in (first, *others):
        thread.join(10)
    assert len(times) == 1

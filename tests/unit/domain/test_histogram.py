"""Durations in buckets, and the quantiles read back from them."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.domain.histogram import BOUNDS, bucket_of, quantile
from tests.builders import examples


@pytest.mark.parametrize(
    ("seconds", "bucket"), [(0, 0), (0.001, 0), (0.0011, 1), (1.0, 9), (1.01, 10), (7200, 17), (7201, 18), (10**9, 18)]
)
def test_a_bound_holds_what_is_not_longer(seconds: float, bucket: int) -> None:
    assert bucket_of(seconds) == bucket


@pytest.mark.parametrize(
    ("counts", "share", "wanted"),
    [
        ({}, 0.5, None),
        ({9: 0}, 0.5, None),
        ({0: 10}, 0.5, 0.0005),  # in the middle of the first bucket
        ({9: 10}, 0.0, 0.5),
        ({9: 10}, 1.0, 1.0),
        ({9: 5, 10: 5}, 0.5, 1.0),
        ({9: 5, 10: 5}, 0.75, 1.75),
        ({18: 3}, 0.95, 7200.0),  # over all bounds: the last one
        ({9: 1}, 1.5, 7200.0),  # no share is over one, but an answer is due all the same
    ],
)
def test_a_quantile_lies_within_its_bucket(counts: dict[int, int], share: float, wanted: float | None) -> None:
    found = quantile(counts, share)
    assert found == (pytest.approx(wanted) if wanted is not None else None)


@given(st.lists(st.floats(0, 10_000), min_size=1, max_size=50), st.floats(0.01, 1))
@examples(200)
def test_a_quantile_is_off_by_one_bucket_at_most(durations: list[float], share: float) -> None:
    found = quantile(Counter(map(bucket_of, durations)), share)
    real = sorted(durations)[max(0, -int(-share * len(durations) // 1) - 1)]
    assert found is not None
    assert abs(bucket_of(found) - min(bucket_of(real), len(BOUNDS) - 1)) <= 1

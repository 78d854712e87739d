"""Durations counted in buckets, and the quantiles read back from them. Pure."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Mapping

# Upper bounds in seconds, for accepting (milliseconds), attempts (seconds) and webhook-to-release time (up to hours) alike.
BOUNDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 1800.0, 7200.0)


def bucket_of(seconds: float) -> int:
    """The place in BOUNDS of the smallest bound that holds this duration; len(BOUNDS) when it is over all of them."""
    return bisect_left(BOUNDS, seconds)


def quantile(counts: Mapping[int, int], share: float) -> float | None:
    """About how long the given share took at most, None without any; a duration over all bounds counts as the last one."""
    total = sum(counts.values())
    if total == 0:
        return None
    wanted, seen = share * total, 0
    for bucket in sorted(counts):
        if seen + counts[bucket] >= wanted:
            low = BOUNDS[bucket - 1] if bucket else 0.0
            high = BOUNDS[min(bucket, len(BOUNDS) - 1)]
            return low + (high - low) * (wanted - seen) / counts[bucket] if high > low else high
        seen += counts[bucket]
    return BOUNDS[-1]

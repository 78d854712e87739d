"""Charts as numbers: where each bar, line and dot of an SVG stands. Pure; the templates draw."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from shared.domain.histogram import quantile

WIDTH, HEIGHT, FLOOR = 720, 180, 160  # of a chart's box, and where its axis lies
HOURS = 24
_LEFT = 44
KINDS = ("released", "ignored", "retried", "failed")
_ATTEMPTS = {"succeeded": "released", "retry": "retried", "lost": "retried", "failed": "failed"}


@dataclass(frozen=True, slots=True)
class Hour:
    """What happened in one hour. `median` and `slow`: the 50 % and 95 % of webhook-to-release time, in seconds."""

    at: datetime
    counts: Mapping[str, int]
    median: float | None
    slow: float | None

    @property
    def total(self) -> int:
        return sum(self.counts.values())


def by_hour(rows: Iterable[Any], last: datetime) -> list[Hour]:
    """The tallies' rows as the 24 hours that end with `last`."""
    counts: defaultdict[datetime, dict[str, int]] = defaultdict(lambda: dict.fromkeys(KINDS, 0))
    times: defaultdict[datetime, dict[int, int]] = defaultdict(dict)
    for row in rows:
        if row.series == "attempts" and (kind := _ATTEMPTS.get(row.label)):
            counts[row.hour][kind] += row.number
        elif row.series == "deliveries" and row.label == "ignored":
            counts[row.hour]["ignored"] += row.number
        elif row.series == "release_seconds":
            times[row.hour][row.bucket] = row.number
    hours = [last - timedelta(hours=back) for back in reversed(range(HOURS))]
    return [Hour(at, dict(counts[at]), quantile(times[at], 0.5), quantile(times[at], 0.95)) for at in hours]


@dataclass(frozen=True, slots=True)
class Bar:
    x: float
    y: float
    width: float
    height: float
    kind: str
    title: str


@dataclass(frozen=True, slots=True)
class Bars:
    bars: list[Bar]
    top: int  # what the highest line of the grid stands for


def draw_bars(hours: Sequence[Hour]) -> Bars:
    """Stacked, one column an hour."""
    top = max(1, *(hour.total for hour in hours))
    step = (WIDTH - _LEFT) / len(hours)
    bars = []
    for place, hour in enumerate(hours):
        floor = float(FLOOR)
        for kind in KINDS:
            if number := hour.counts.get(kind, 0):
                height = max(2.0, number / top * (FLOOR - 20))
                floor -= height
                title = f"{hour.at:%H:%M}: {number:,} {kind}"
                bars.append(
                    Bar(round(_LEFT + place * step + 2, 1), round(floor, 1), round(step - 4, 1), round(height, 1), kind, title)
                )
    return Bars(bars, top)


@dataclass(frozen=True, slots=True)
class Dot:
    x: float
    y: float
    title: str
    kind: str


@dataclass(frozen=True, slots=True)
class Lines:
    """`lines`: each an SVG `points` text; `ticks`: (y, seconds) of the logarithmic scale."""

    lines: list[tuple[str, str]]
    dots: list[Dot]
    ticks: list[tuple[float, float]]


def draw_times(hours: Sequence[Hour]) -> Lines:
    """The median and the 95 % of webhook-to-release time, on a logarithmic scale."""
    found = [value for hour in hours for value in (hour.median, hour.slow) if value]
    if not found:
        return Lines([], [], [])
    low = math.floor(math.log10(max(min(found), 0.001)))
    high = max(low + 1, math.ceil(math.log10(max(found))))
    step = (WIDTH - _LEFT) / len(hours)

    def y_of(seconds: float) -> float:
        return round(FLOOR - (math.log10(max(seconds, 10**low)) - low) / (high - low) * (FLOOR - 20), 1)

    lines, dots = [], []
    for kind in ("median", "slow"):
        points = [
            (round(_LEFT + (place + 0.5) * step, 1), value, hour)
            for place, hour in enumerate(hours)
            if (value := getattr(hour, kind))
        ]
        lines.append((kind, " ".join(f"{x},{y_of(value)}" for x, value, _ in points)))
        dots += [Dot(x, y_of(value), f"{hour.at:%H:%M}: {value:.2f} s", kind) for x, value, hour in points]
    return Lines(lines, dots, [(y_of(10.0**power), 10.0**power) for power in range(low, high + 1)])


def draw_attempts(attempts: Sequence[Any], start: datetime, next_at: datetime | None, present: datetime) -> list[Dot]:
    """Each attempt on a time line that is logarithmic, since the waits between them grow."""
    moments = [
        (row.started_at, f"attempt {row.number}: {row.outcome or 'running'}", row.outcome or "running") for row in attempts
    ]
    if next_at is not None:
        moments.append((max(next_at, present), "next attempt", "next"))
    if not moments:
        return []
    passed = [max(0.0, (at - start).total_seconds()) for at, _, _ in moments]
    longest = math.log1p(max(passed)) or 1.0  # the last one stands at the end
    return [
        Dot(
            round(20 + math.log1p(seconds) / longest * (WIDTH - 40), 1), 30, f"{title}, {seconds:.1f} s after the webhook", kind
        )
        for seconds, (_, title, kind) in zip(passed, moments, strict=True)
    ]

"""What a benchmark row is: sides measured in turn, their medians, spread and ratio. Knows no row."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from bench.quiet import settle

Measure = Callable[[], float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Side:
    """One of the two things compared; `measure` returns one figure, such as requests a second."""

    name: str
    measure: Measure


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """A finished comparison. `ratio`: ours to the peer's, of medians; the spread is (max - min) / median.

    `required`: the least that the ratio may be, or the most where `is_most` (times and sizes). Where a bound and no program
    is the peer, its one figure is the bound.
    """

    row: str
    case: str
    unit: str
    ours: str
    peer: str
    figures: dict[str, list[float]]
    required: float | None
    is_most: bool = False
    notes: dict[str, Any] = field(default_factory=dict)

    def median(self, side: str) -> float:
        return statistics.median(self.figures[side])

    def spread(self, side: str) -> float:
        figures = self.figures[side]
        return (max(figures) - min(figures)) / self.median(side)

    @property
    def ratio(self) -> float:
        return self.median(self.ours) / self.median(self.peer)


def compare(
    row: str, case: str, unit: str, ours: Side, peer: Side, *, runs: int, required: float | None, is_most: bool = False
) -> Result:
    """Measure both in turn, `runs` times each, after one round that does not count."""
    figures: dict[str, list[float]] = {ours.name: [], peer.name: []}
    for number in range(runs + 1):
        for side in _order(number, ours, peer):
            settle()
            figure = side.measure()
            if number:
                figures[side.name].append(figure)
    return Result(
        row=row,
        case=case,
        unit=unit,
        ours=ours.name,
        peer=peer.name,
        figures=figures,
        required=required,
        is_most=is_most,
    )


def _order(number: int, ours: Side, peer: Side) -> Sequence[Side]:
    """Now one first, now the other: whoever comes second finds a warmer or a busier machine."""
    return (ours, peer) if number % 2 else (peer, ours)

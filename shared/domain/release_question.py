"""What is asked and answered about the releases before a tag, as values. Pure. docs/decisions/0008 has the rule."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from shared.domain.tag_order import TagName

MOST_MORE = 5  # comparisons beyond the first
MOST_MORE_AGAIN = 10  # of a recollect


class Release(NamedTuple):
    """A tag that may be counted from. `at` is the time of its commit, None where nobody said."""

    tag: TagName
    sha: str
    at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """The commits that the tag reaches and another commit does not: `parents` of each, newest first.

    Empty when the other commit contains the tag. `merge_base` is a best common ancestor, `base_at` the other commit's time.
    """

    parents: Mapping[str, Sequence[str]]
    times: Mapping[str, datetime | None]
    is_complete: bool
    is_ancestor: bool
    merge_base: str | None
    base_at: datetime | None = None


class Newest(NamedTuple):
    """The newest commits that the tag reaches, newest first. `is_whole`: there are no others."""

    ids: Sequence[str]
    is_whole: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """A tag, and how to ask a forge about it. `compare(sha)` is None for a commit that is gone or shares no history;
    `times(shas)` tells the times of commits, as far as they are known.

    `fixed` are releases that a setting names; they count as lower versions of the tag's own line.
    """

    this: TagName
    sha: str
    at: datetime | None
    compare: Callable[[str], Difference | None]
    newest: Callable[[], Newest]
    most_more: int = MOST_MORE
    times: Callable[[Sequence[str]], Mapping[str, datetime]] = lambda _: {}
    counts_prereleases: bool = False
    fixed: tuple[Release, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Earlier:
    """`bases` are the earlier releases that take something away, the nearest first; `how` is the rule that found it.

    `ids`: the commits that are left, newest first. `undecided`: releases that were not compared and might take more away.
    """

    how: str
    bases: tuple[Release, ...]
    ids: tuple[str, ...]
    is_complete: bool
    undecided: int


@dataclass(frozen=True, slots=True)
class FirstRelease:
    """Nothing is earlier. `undecided`: releases that were not compared and might be."""

    undecided: int


def is_younger(at: datetime | None, than: datetime | None) -> bool:
    """Whether it is known to be younger."""
    return at is not None and than is not None and at > than

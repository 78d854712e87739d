"""What follows from one comparison with an earlier release: which others take more away, and what is left. Pure.

Every other ancestor lies in the range of the first, or below it where it has no effect. A lower release beside the tag can
share a commit with the range only if it is younger than that commit, so few have to be asked (docs/decisions/0008).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import NamedTuple

from shared.domain.release_question import Difference, Earlier, Question, Release, is_younger

_MOST_BASES = 20  # that an answer names


class _Counted(NamedTuple):
    """An earlier release, `distance`: how many commits lie between it and the tag, and which of the range it leaves."""

    release: Release
    distance: int
    leaves: frozenset[str]
    is_ancestor: bool


def settle(
    question: Question, first: tuple[Release, Difference], releases: Iterable[Release], lower: Iterable[Release]
) -> tuple[Earlier, bool]:
    """The answer, and whether its base is an ancestor. `releases` are all that may count, `lower` those that may also stand
    beside the tag; `first` is one of them that is earlier. Raises what the callbacks of `question` raise."""
    settling = _Settling(question, *first, _highest_by_commit(releases), _highest_by_commit(lower))
    undecided = 0
    if first[1].is_complete:
        settling.take_ancestors()
        undecided = settling.ask_window()
        settling.count_apart()
    bases, is_ancestor = settling.order_bases()
    found = Earlier(
        how="",
        bases=tuple(bases[:_MOST_BASES]),
        ids=tuple(sha for sha in first[1].parents if sha in settling.left),
        is_complete=first[1].is_complete,
        undecided=undecided,
    )
    return found, is_ancestor


def _highest_by_commit(releases: Iterable[Release]) -> dict[str, Release]:
    return {release.sha: release for release in sorted(releases, key=lambda release: release.tag.order)}


class _Settling:
    def __init__(
        self,
        question: Question,
        first: Release,
        difference: Difference,
        by_commit: dict[str, Release],
        lower: dict[str, Release],
    ) -> None:
        self._question = question
        self._first = first.sha
        self._difference = difference
        self._range = difference.parents
        self._at: datetime | None = difference.times.get(question.sha) or question.at
        self._by_commit, self._lower = by_commit, lower
        self._more = question.most_more
        self.left = set(self._range)
        named = by_commit if difference.is_ancestor else lower
        release = named.get(first.sha, first)
        self._counted = [_Counted(release, len(self._range), frozenset(self._range), difference.is_ancestor)]
        self._apart: list[tuple[Release, frozenset[str]]] = []

    def take_ancestors(self) -> None:
        """Take away what the releases inside the range reach. One that another one reaches adds nothing."""
        ends = {parent for parents in self._range.values() for parent in parents if parent not in self._range}
        for sha in self._range:
            release = self._by_commit.get(sha)
            if release is None or sha not in self.left:
                continue
            reached, touched = self._reach(sha)
            self.left -= reached
            leaves = frozenset(self._range.keys() - reached)
            if ends <= touched or (self._difference.is_ancestor and self._first in touched):
                self._counted.append(_Counted(release, len(leaves), leaves, True))
            else:
                self._apart.append((release, leaves))
        base = self._difference.merge_base
        if not self._difference.is_ancestor and base in self._by_commit and ends == {base}:
            self._counted.append(_Counted(self._by_commit[base], len(self._range), frozenset(self._range), True))

    def _reach(self, sha: str) -> tuple[set[str], set[str]]:
        """(the commits of the range that `sha` reaches, the parents outside of it that these have)."""
        reached, touched, waiting = {sha}, set(), [sha]
        while waiting:
            for parent in self._range[waiting.pop()]:
                if parent not in self._range:
                    touched.add(parent)
                elif parent not in reached:
                    reached.add(parent)
                    waiting.append(parent)
        return reached, touched

    def ask_window(self) -> int:
        """Compare with the lower releases beside the tag that could take more away. Returns how many were not asked."""
        asked = {self._first, *self._range}
        while window := self._window(asked):
            if self._more <= 0:
                return len(window)
            self._more -= 1
            release = window[0]
            difference = self._question.compare(release.sha)
            if difference is not None and difference.parents and not difference.is_complete:
                return len(window)
            asked.add(release.sha)
            if difference is None or not difference.parents or difference.is_ancestor:
                continue
            if not is_younger(release.at or difference.base_at, self._at):
                leaves = frozenset(difference.parents)
                self.left &= leaves
                self._counted.append(_Counted(release, len(leaves), leaves, False))
        return 0

    def _window(self, asked: set[str]) -> list[Release]:
        """The most telling first: the highest of each series of versions, then the rest."""
        rest = self.left - {self._question.sha}
        if not rest:
            return []  # the tag's own commit is taken away by none
        times = [self._difference.times.get(sha) for sha in rest]
        known = [at for at in times if at is not None]
        oldest = min(known) if len(known) == len(times) else None
        possible = [
            release
            for sha, release in self._lower.items()
            if sha not in asked and not is_younger(release.at, self._at) and not is_younger(oldest, release.at)
        ]
        possible.sort(key=lambda release: release.tag.order, reverse=True)
        series: dict[Sequence[int], Release] = {}
        for release in possible:
            series.setdefault(release.tag.numbers[:2], release)
        heads = {release.sha for release in series.values()}
        return sorted(possible, key=lambda release: release.sha not in heads)

    def count_apart(self) -> None:
        """Ancestors that forked off before the first: only a comparison tells how near they are. They name bases and change
        no list, so they are asked last."""
        for release, leaves in self._apart:
            difference = self._question.compare(release.sha) if self._more > 0 else None
            self._more -= 1
            if difference is not None and difference.is_complete:
                self._counted.append(_Counted(release, len(difference.parents), frozenset(difference.parents), True))
            else:
                self._counted.append(_Counted(release, len(self._range) + 1, leaves, True))

    def order_bases(self) -> tuple[list[Release], bool]:
        """The nearest first, on a tie the higher version; then those that take away what no one before them took."""
        self._counted.sort(key=lambda counted: counted.release.tag.order, reverse=True)
        self._counted.sort(key=lambda counted: counted.distance)
        nearest, *others = self._counted
        bases, left = [nearest.release], nearest.leaves
        for counted in others:
            if not left <= counted.leaves:
                bases.append(counted.release)
                left &= counted.leaves
        return bases, nearest.is_ancestor

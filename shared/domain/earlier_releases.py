"""Finds the earlier releases of a tag: which may count by their names, and which one to compare with first. Pure.

A release lists the commits that its tag reaches and that no earlier release of its line reaches (docs/decisions/0008).
Forges are asked through callbacks, seldom; what stayed undecided is counted in the answer.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime

from shared.domain import tag_words as words
from shared.domain.release_bases import settle
from shared.domain.release_question import Difference, Earlier, FirstRelease, Question, Release, is_younger
from shared.domain.tag_order import Kind, Line, TagName

MOST_TRIES = 10  # comparisons until one proves to be with an earlier release
MOST_TIMES = 1_000  # commits whose times are asked for, a hundred a call


def find_earlier(question: Question, tags: Sequence[Release]) -> Earlier | FirstRelease:
    """What the tag counts from, among all `tags` of its repository. Raises what the callbacks of `question` raise."""
    search = _Search(question)
    found = (
        search.count_from([*allowed(question, tags), *question.fixed])
        or search.count_from(allowed_prereleases(question, tags), how="pre_releases")
        or search.count_from(search.other_line(tags), how="other_line")
    )
    if found is None:
        return FirstRelease(search.undecided)
    return replace(found, undecided=found.undecided + search.undecided)


def allowed(question: Question, tags: Iterable[Release]) -> list[Release]:
    """The releases of the tag's own line that it may count from, as far as names tell."""
    return [release for release in tags if release.tag.line == question.this.line and _may_count(question, release)]


def allowed_prereleases(question: Question, tags: Iterable[Release]) -> list[Release]:
    """Where a final release has nothing else before it: the pre-releases of other numbers."""
    this = question.this
    if this.kind not in (Kind.FINAL, Kind.OPEN):
        return []
    return [
        release
        for release in tags
        if release.tag.line == this.line
        and release.tag.kind is Kind.PRE
        and release.tag.numbers != this.numbers
        and release.sha != question.sha
    ]


def _may_count(question: Question, release: Release) -> bool:
    this, other = question.this, release.tag
    if release.sha == question.sha or other.kind is Kind.FLOATING or other.name == this.name:
        return False
    if other.kind is Kind.PRE and not (question.counts_prereleases or _counts_from_prereleases(this)):
        return False
    is_trial = other.kind is Kind.OPEN and this.kind is Kind.FINAL and not this.is_after and other.numbers == this.numbers
    return not is_trial


def _counts_from_prereleases(this: TagName) -> bool:
    return this.kind in (Kind.PRE, Kind.NONE) or (this.kind is Kind.FLOATING and this.suffix[0] in words.FLOATING_PRE)


class _Search:
    """The search for one tag. `undecided` counts what might be earlier and was not asked."""

    def __init__(self, question: Question) -> None:
        self._question = question
        self._at: datetime | None = question.at
        self._tries = 0
        self._fixed = frozenset(release.sha for release in question.fixed)
        self.undecided = 0

    def count_from(self, releases: Sequence[Release], *, how: str | None = None) -> Earlier | None:
        """The answer by these releases, None where none of them is earlier."""
        if not releases:
            return None
        releases = self._with_times(releases)
        first = self._find_first(releases)
        if first is None:
            return None
        lower = [release for release in releases if self._is_lower(release)]
        found, is_ancestor = settle(self._question, first, releases, lower)
        if how is None:
            is_fixed = found.bases[0].sha in self._fixed
            how = "configured" if is_fixed else "ancestor" if is_ancestor else "beside"
        return replace(found, how=how)

    def _with_times(self, releases: Sequence[Release], *, only_lower: bool = True) -> Sequence[Release]:
        """The same with their times, or those that may stand beside the tag. One alone is compared anyhow."""
        unknown = [release for release in releases if release.at is None and (self._is_lower(release) or not only_lower)]
        unknown.sort(key=lambda release: release.tag.order, reverse=True)
        shas = list(dict.fromkeys(release.sha for release in unknown))[:MOST_TIMES]
        if len(shas) < 2:
            return releases
        times = self._question.times(shas if self._at else [self._question.sha, *shas])
        self._at = self._at or times.get(self._question.sha)
        return [release if release.at else release._replace(at=times.get(release.sha)) for release in releases]

    def _is_lower(self, release: Release) -> bool:
        return release.sha in self._fixed or release.tag.is_lower(self._question.this)

    def _find_first(self, releases: Sequence[Release]) -> tuple[Release, Difference] | None:
        """Any earlier release and its comparison: the highest lower version, else what stands among the newest commits,
        else the highest of any number."""
        highest = sorted(releases, key=lambda release: release.tag.order, reverse=True)
        asked: set[str] = set()
        for release in highest:
            is_likely = self._is_lower(release) and not is_younger(release.at, self._at)
            if is_likely and (difference := self._try(release, asked, may_stand_beside=True)) is not None:
                return self._prefer_whole(release, difference, releases)
        newest = self._question.newest()
        known = {release.sha: release for release in reversed(highest)}
        near = next((sha for sha in newest.ids if sha in known), None)
        if near is not None and (difference := self._question.compare(near)) is not None:
            return self._prefer_whole(known[near], difference, releases)
        if newest.is_whole:
            return None
        timed = self._with_times(highest, only_lower=False)
        rest = [release for release in timed if release.sha not in asked and not is_younger(release.at, self._at)]
        for release in rest:
            if (difference := self._try(release, asked, may_stand_beside=False)) is not None:
                return self._prefer_whole(release, difference, releases)
        self.undecided += len({release.sha for release in rest} - asked)
        return None

    def _try(self, release: Release, asked: set[str], *, may_stand_beside: bool) -> Difference | None:
        """The comparison with a release that proves to be earlier."""
        if release.sha in asked or self._tries >= MOST_TRIES:
            return None
        asked.add(release.sha)
        self._tries += 1
        difference = self._question.compare(release.sha)
        if difference is None or not difference.parents:
            return None
        self._at = difference.times.get(self._question.sha) or self._at
        if difference.is_ancestor or (may_stand_beside and not is_younger(release.at or difference.base_at, self._at)):
            return difference
        return None

    def _prefer_whole(
        self, release: Release, difference: Difference, releases: Sequence[Release]
    ) -> tuple[Release, Difference]:
        """A comparison that was cut gives way to one with a nearer ancestor, which stands in the part that came."""
        known = {each.sha: each for each in releases}
        while not difference.is_complete:
            near = next((sha for sha in difference.parents if sha in known), None)
            nearer = None if near is None or near == release.sha else self._question.compare(near)
            if near is None or nearer is None:
                break
            release, difference = known[near], nearer
        return release, difference

    def other_line(self, tags: Sequence[Release]) -> list[Release]:
        """The releases of the one other line whose tags are ancestors, if there is just one: it was renamed."""
        this = self._question.this
        versions = [release for release in tags if release.tag.is_version and release.sha != self._question.sha]
        others = [release for release in versions if release.tag.line != this.line and not is_younger(release.at, self._at)]
        if not others:
            return []
        newest = self._question.newest()
        recent = set(newest.ids)
        behind = {release.tag.line for release in versions if release.sha in recent}
        if this.line in behind or len(behind) > 1:
            return []
        if not newest.is_whole:
            self._look_behind(others, behind)
        if len(behind) != 1:
            return []
        possible = [release for release in others if release.tag.line in behind]
        return [release for release in possible if _may_count(self._question, release)] or possible

    def _look_behind(self, others: Sequence[Release], behind: set[Line]) -> None:
        """Add the lines that have an ancestor beyond the newest commits, until there are two."""
        by_line: dict[Line, list[Release]] = {}
        for release in sorted(others, key=lambda release: release.tag.order, reverse=True):
            by_line.setdefault(release.tag.line, []).append(release)
        for line in by_line.keys() - behind:
            for release in by_line[line]:
                if len(behind) > 1:
                    return
                if self._tries >= MOST_TRIES:
                    self.undecided += 1
                    break
                if self._try(release, set(), may_stand_beside=False) is not None:
                    behind.add(line)
                    break

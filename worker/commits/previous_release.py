"""Which release came before this tag: the decided order, over answers that the forge gives. Touches nothing itself.

The nearest ancestor among the tags of the same component, nearness being the number of commits in candidate..tag: not the
date, not the version alone, not the shortest path. docs/decisions/0008 has the order and its reasons.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from shared.domain.tag_order import TagVersion, by_likelihood, may_precede, read_tag

MOST_TRIES = 10
MOST_RIVALS = 20


@dataclass(frozen=True, slots=True)
class Relation:
    """How a candidate's commit stands to the tag's. `count`: commits in candidate..tag, None where it is not told cheaply."""

    is_ancestor: bool
    is_related: bool
    count: int | None


@dataclass(frozen=True, slots=True)
class Previous:
    """The release to count from; `how` says by which rule it was found."""

    tag: str
    sha: str
    how: str


def candidates(this: str, sha: str, tags: Mapping[str, str], *, counts_prereleases: bool = False) -> dict[str, str]:
    """{name: commit} of the tags that a release of `this` may count from at all; one on the same commit is none."""
    version = read_tag(this)
    return {
        name: commit
        for name, commit in tags.items()
        if commit != sha and may_precede(read_tag(name), version, counts_prereleases=counts_prereleases)
    }


def choose_previous(
    this: str,
    possible: Mapping[str, str],
    relate: Callable[[str], Relation | None],
    range_ids: Callable[[str], frozenset[str]],
    recent_ids: Callable[[], list[str]],
) -> Previous | None:
    """The previous release, None for a first one.

    `relate(sha)` compares a candidate's commit with the tag's (None: the forge does not know it any more);
    `range_ids(sha)` are the ids of candidate..tag; `recent_ids()` the newest commits that the tag reaches. All may call
    the forge, so they are asked seldom and once.
    """
    ordered = by_likelihood([read_tag(name) for name in possible], read_tag(this))
    aside: Previous | None = None
    tries = list(ordered)
    for number in range(min(MOST_TRIES, len(tries))):
        if number == 1:  # the likeliest was none: whatever stands among the newest commits is an ancestor for certain
            recent = {commit: place for place, commit in enumerate(recent_ids())}
            tries[1:] = sorted(tries[1:], key=lambda tag: recent.get(possible[tag.name], len(recent)))
        tag = tries[number]
        relation = relate(possible[tag.name])
        if relation is None:
            continue
        if relation.is_ancestor:
            return _nearest(tag, ordered, possible, relate, range_ids)
        if aside is None and relation.is_related and tag.order < read_tag(this).order:
            aside = Previous(tag.name, possible[tag.name], "lower version beside the branch")
    return aside


def _nearest(
    first: TagVersion,
    ordered: list[TagVersion],
    possible: Mapping[str, str],
    relate: Callable[[str], Relation | None],
    range_ids: Callable[[str], frozenset[str]],
) -> Previous:
    """Any ancestor that is nearer lies in first..tag: what does not is an ancestor of `first`, hence farther."""
    inside = range_ids(possible[first.name])
    beside = [tag for tag in ordered if possible[tag.name] == possible[first.name]]
    best, fewest = max(beside, key=lambda tag: tag.order), len(inside)  # on a tie the higher version counts
    rivals = [tag for tag in ordered if possible[tag.name] in inside]
    for tag in rivals[:MOST_RIVALS]:
        sha = possible[tag.name]
        relation = relate(sha)
        if relation is None:
            continue
        count = relation.count if relation.count is not None else len(range_ids(sha))
        if count < fewest or (count == fewest and tag.order > best.order):
            best, fewest = tag, count
    return Previous(best.name, possible[best.name], "nearest ancestor")

"""From where to where a release goes, in commits that earlier releases brought. Pure.

A release's list is trusted to be unbroken, newest first, and to follow on the list of the release before it; times are not
used, since commits of several branches share them.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

MOST_COMMITS = 10_000
FIRST_RELEASE = 20  # how many commits a first release gets when nothing says where it began, as sentry-cli does


@dataclass(frozen=True, slots=True)
class Stored:
    """One stored commit: row id and sha."""

    id: int
    key: str


@dataclass(frozen=True, slots=True)
class Found:
    commits: tuple[Stored, ...]


@dataclass(frozen=True, slots=True)
class Unknown:
    """Why the range cannot be told, for the release page and the log."""

    note: str


def find_range(lists: Iterable[Sequence[Stored]], start: str | None, end: str) -> Found | Unknown:
    """The commits after `start` up to `end`, newest first. `lists`: of one repository, newest release first, the first
    of them holding `end`. Without `start`: the first few."""
    picked: dict[str, Stored] = {}
    last = end
    for one in lists:
        for commit in _after(one, last) if picked else _from(one, end):
            if commit.key == start:
                return Found(tuple(picked.values()))
            picked.setdefault(commit.key, commit)
            last = commit.key
            if start is None and len(picked) == FIRST_RELEASE:
                return Found(tuple(picked.values()))
            if len(picked) > MOST_COMMITS:
                return Unknown(f"more than {MOST_COMMITS} commits lie before {end[:12]}")
    if not picked:
        return Unknown(f"commit {end[:12]} is not known here yet")
    if start is None:
        return Found(tuple(picked.values()))
    return Unknown(f"commit {start[:12]}, where the release begins, is not known here")


def _from(one: Sequence[Stored], key: str) -> Sequence[Stored]:
    """The list from that commit on, empty if it is not there."""
    place = _place(one, key)
    return () if place is None else one[place:]


def _after(one: Sequence[Stored], key: str) -> Sequence[Stored]:
    """What follows that commit; a list without it is an older one and follows as a whole."""
    place = _place(one, key)
    return one if place is None else one[place + 1 :]


def _place(one: Sequence[Stored], key: str) -> int | None:
    return next((n for n, commit in enumerate(one) if commit.key == key), None)

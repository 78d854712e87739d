"""Proves a commit range from the commit log: a chain of whole, unforced pushes from a base to the head. Pure.

If each push's `before` is an ancestor of its head, then base..head is exactly what the pushes between them list:
reach(head) = reach(before) + (before..head), and the parts do not overlap. A push that was cut, forced or made the branch
breaks the proof; so does a base in the middle of a push, since payloads carry no parents and a list cannot be split.
"""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Callable, Collection
from dataclasses import dataclass

from shared.domain.commit_range import LoggedPush
from shared.domain.push import is_zero

MOST_LINKS = 2_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Chain:
    """`commit_ids` of base..head, newest first. `hidden` are other bases that lie inside a push of the chain.

    `is_proven`: every push said that it was not forced; otherwise nobody has vouched for the ancestry.
    """

    base: str
    commit_ids: tuple[str, ...]
    links: int
    is_proven: bool
    hidden: frozenset[str]


def find_chain(
    head: str, bases: Collection[str], pushes_to: Callable[[str], list[LoggedPush]], *, most_links: int = MOST_LINKS
) -> Chain | None:
    """The chain with the fewest commits from one of `bases` to `head`, None when the log knows none."""
    order = itertools.count()
    waiting: list[tuple[int, int, str, tuple[LoggedPush, ...]]] = [(0, next(order), head, ())]
    done: set[str] = set()
    while waiting and len(done) <= most_links:
        cost, _, sha, path = heapq.heappop(waiting)
        if sha in done:
            continue
        done.add(sha)
        if path and sha in bases:
            return _chain(sha, path, bases)
        for push in pushes_to(sha):
            if is_link(push) and push.before not in done:
                heapq.heappush(waiting, (cost + len(push.commit_ids), next(order), push.before, (*path, push)))
    return None


def is_link(push: LoggedPush) -> bool:
    """A push that lists exactly before..sha, as far as it says."""
    return push.is_whole and not push.is_forced and not is_zero(push.before)


def _chain(base: str, path: tuple[LoggedPush, ...], bases: Collection[str]) -> Chain:
    newest_first = dict.fromkeys(commit_id for push in path for commit_id in reversed(push.commit_ids))
    return Chain(
        base=base,
        commit_ids=tuple(newest_first),
        links=len(path),
        is_proven=all(push.is_forced is False for push in path),
        hidden=frozenset(candidate for candidate in bases if candidate in newest_first and candidate != path[0].sha),
    )

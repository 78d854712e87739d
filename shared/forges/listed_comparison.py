"""Compares two commits by listing commits with their parents, for a forge that fails to compare them itself. Makes no call.

GitHub answers 5xx or 422 to a comparison that is too much for it, each time, while its lists of commits still work.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from datetime import UTC, datetime

from shared.domain.push import Commit
from shared.errors import PermanentError, TransientError
from shared.forges.errors import RateLimited
from shared.forges.forge import Comparison, Unrelated
from shared.forges.pagination import MAX_RANGE, PAGE, nothing_between

Page = Callable[[str, int], list[Commit]]  # (sha, number from 1) -> commits reachable from it by time, newest first

_MOST_PAGES = MAX_RANGE // PAGE  # of each of the two lists


def compare_or_list(compare: Callable[[], Comparison | Unrelated], page: Page, base: str, head: str) -> Comparison | Unrelated:
    """What `compare` gives, or where the forge fails to compare, what the lists of commits say. Raises what `compare` raises,
    and RateLimited of the lists."""
    try:
        return compare()
    except (TransientError, PermanentError) as problem:
        if not is_not_compared(problem):
            raise
        try:
            found = compare_by_lists(page, base, head)
        except RateLimited:
            raise
        except (TransientError, PermanentError):
            found = None
        if found is None:
            raise
        return found


def is_not_compared(problem: TransientError | PermanentError) -> bool:
    """Whether the forge failed at this very question, as far as the answer tells."""
    return problem.status is not None and (problem.status >= 500 or problem.status == 422)


def compare_by_lists(page: Page, base: str, head: str, size: int = PAGE) -> Comparison | Unrelated | None:
    """`git rev-list base..head` from as many pages of both as it takes to decide it; None where that would be too many, or
    where the forge names no parents. `size`: how many commits a full page has.

    It trusts that no commit is older than its parents unless it sees one that is; then it reads both lists to their ends.
    """
    walk = _Walk(base, head)
    heads, bases = _List(page, head, size), _List(page, base, size)
    while True:
        is_read = False
        for listing, is_wanted in ((heads, walk.wants_more_of_head), (bases, walk.wants_more_of_base)):
            if is_wanted(heads, bases) and not listing.is_ended:
                walk.add(listing.read())
                is_read = True
        found = walk.settle(heads, bases)
        if found is not None or walk.is_blind:
            return found
        if not is_read:  # where times are equal neither list tells which of them holds the rest
            rest = next((listing for listing in (bases, heads) if not listing.is_ended), None)
            if rest is None:
                return None
            walk.add(rest.read())


class _List:
    """The commits that one commit reaches, as far as they were listed. `is_whole`: there are no others."""

    def __init__(self, page: Page, sha: str, size: int) -> None:
        self._page, self._sha, self._size, self._number = page, sha, size, 0
        self.ids: dict[str, None] = {}
        self.last_at: datetime | None = None
        self.is_whole = False

    @property
    def is_ended(self) -> bool:
        return self.is_whole or self._number >= _MOST_PAGES

    def read(self) -> list[Commit]:
        self._number += 1
        listed = self._page(self._sha, self._number)
        self.ids.update(dict.fromkeys(commit.id for commit in listed))
        self.last_at = listed[-1].timestamp if listed else self.last_at
        self.is_whole = len(listed) < self._size
        return listed


class _Walk:
    """What is known of the two commits' histories. `left` are commits that the head reaches and, as far as is known, the base
    does not; `ends` the parents of those that the base reaches, `open` the parents that nothing is known about."""

    def __init__(self, base: str, head: str) -> None:
        self._base, self._head = base, head
        self._known: dict[str, Commit] = {}
        self.is_blind = False  # the forge did not name a commit's parents
        self._left: set[str] = set()
        self._ends: set[str] = set()
        self._open: set[str] = {head}
        self._behind: set[str] = set()  # parents of what the base reaches that were not listed
        self._contains_head = False

    def wants_more_of_head(self, heads: _List, _: _List) -> bool:
        return bool(self._open) or self._base in self._ends

    def wants_more_of_base(self, heads: _List, bases: _List) -> bool:
        """Not before the head's list has come to the base's time: as an ancestor it turns up there."""
        if self._base in self._ends:
            return False
        at = self._known[self._base].timestamp if self._base in self._known else None
        return at is None or heads.last_at is None or heads.is_whole or heads.last_at < at

    def add(self, listed: Iterable[Commit]) -> None:
        for commit in listed:
            self._known.setdefault(commit.id, commit)
            self.is_blind = self.is_blind or commit.parents is None
        reached, self._behind = self._reach(self._base, frozenset())
        self._left, outside = self._reach(self._head, reached)
        self._ends, self._open = outside & reached, outside - reached
        self._contains_head = self._head in reached

    def settle(self, heads: _List, bases: _List) -> Comparison | Unrelated | None:
        """The answer, once nothing that is still to be listed can change it."""
        if self.is_blind:
            return None
        if self._contains_head:
            return nothing_between(self._head, is_ancestor=self._base == self._head)
        if self._open or self._base not in self._known or not self._is_settled(heads, bases):
            return None
        if not self._ends:
            return Unrelated()
        commits = tuple(self._known[sha] for sha in heads.ids if sha in self._left)
        return Comparison(
            commits=commits,
            total=len(commits),
            is_complete=len(commits) == len(self._left) and commits[0].id == self._head,
            base_is_ancestor=self._base in self._ends,
            merge_base=max(self._ends, key=self._age),
            base_at=self._known[self._base].timestamp,
        )

    def _is_settled(self, heads: _List, bases: _List) -> bool:
        """Whether the base reaches none of `left` by way of commits that were not listed: those are older than all listed."""
        if not self._behind:
            return True
        bounds = [bases.last_at] if bases.ids else []
        bounds += [heads.last_at] if self._base in self._ends else []
        known = [at for at in bounds if at is not None]
        times = [self._known[sha].timestamp for sha in self._left]
        return bool(known) and not self._is_skewed() and all(at is not None and at > min(known) for at in times)

    def _is_skewed(self) -> bool:
        for commit in self._known.values():
            for parent in commit.parents or ():
                older = self._known[parent].timestamp if parent in self._known else None
                if commit.timestamp is None or (older is not None and older > commit.timestamp):
                    return True
        return False

    def _reach(self, sha: str, without: Collection[str]) -> tuple[set[str], set[str]]:
        """(known commits that `sha` reaches without passing `without`, the parents beyond them)."""
        reached: set[str] = set()
        beyond: set[str] = set()
        waiting = [sha]
        while waiting:
            this = waiting.pop()
            if this in without or this not in self._known:
                beyond.add(this)
            elif this not in reached:
                reached.add(this)
                waiting += self._known[this].parents or ()
        return reached, beyond

    def _age(self, sha: str) -> tuple[bool, datetime, str]:
        at = self._known[sha].timestamp if sha in self._known else None
        return at is not None, at or datetime.min.replace(tzinfo=UTC), sha

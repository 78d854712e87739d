"""Collects ranges and tags page by page, within our own bounds. Makes no call of its own."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from datetime import datetime
from functools import partial
from typing import TypeVar

from shared.domain.push import Commit
from shared.domain.reasons import Reason
from shared.errors import PermanentError, TransientError
from shared.forges.forge import Comparison, Tag
from shared.infra.socket_deadlines import Errand, meanwhile

T = TypeVar("T")
R = TypeVar("R")

PAGE = 100  # both forges clamp per_page to this
MAX_RANGE = 20_000  # commits; more than any release that Sentry would take
MAX_RANGE_TEXT = 64 * 1024 * 1024  # characters of their messages together
_TAG_PAGES = 500


class Gathering:
    """`is_open` until a bound is reached or the forge repeats itself; what comes after is not taken."""

    def __init__(self) -> None:
        self._commits: dict[str, Commit] = {}
        self._text = 0
        self.is_open = True

    def __len__(self) -> int:
        return len(self._commits)

    def add(self, newest_first: Iterable[Commit]) -> None:
        """Take a page. A page with nothing new closes: a forge that pages for ever must not keep us."""
        known, text, is_new = self._commits, self._text, False
        for commit in newest_first:
            text += len(commit.message)
            if len(known) >= MAX_RANGE or text > MAX_RANGE_TEXT:
                self.is_open = False
                return
            if commit.id not in known:
                known[commit.id] = commit
                is_new = True
        self._text = text
        if not is_new:
            self.is_open = False

    def comparison(
        self,
        *,
        head: str,
        total: int | None,
        is_whole: bool,
        is_ancestor: bool,
        merge_base: str,
        base_at: datetime | None = None,
    ) -> Comparison:
        """`is_whole`: the forge listed all it has. Believed only with the head in it and the count it gave itself."""
        commits = self._commits
        newest = commits.pop(head, None)
        found = (newest, *commits.values()) if newest is not None else tuple(commits.values())
        return Comparison(
            commits=found,
            total=len(found) if total is None and is_whole and self.is_open else total,
            is_complete=is_whole and self.is_open and newest is not None and total in (None, len(found)),
            base_is_ancestor=is_ancestor,
            merge_base=merge_base,
            base_at=base_at,
        )


def nothing_between(merge_base: str, *, is_ancestor: bool) -> Comparison:
    """The head is reachable from the base: a range of no commits, which is complete."""
    return Comparison(commits=(), total=0, is_complete=True, base_is_ancestor=is_ancestor, merge_base=merge_base)


def read_pages(
    fetch: Callable[[int], T], read: Callable[[T], R], number: int, following: Callable[[int, T], int | None]
) -> Iterator[R]:
    """What `read` makes of page `number` and of those that `following` names, each read while the next is on its way.

    Calls are made one at a time: forges count calls at once as abuse.
    """
    answer = fetch(number)
    while (after := following(number, answer)) is not None:
        reading = Errand(partial(read, answer))
        with meanwhile(reading):
            number, answer = after, fetch(after)
        yield reading.result()
    yield read(answer)


def with_prefix(tags: Iterable[Tag], prefix: str) -> list[Tag]:
    """Those whose name begins with `prefix`, whatever the case."""
    wanted = prefix.lower()
    return [tag for tag in tags if tag.name.lower().startswith(wanted)]


def gather_tags(page: Callable[[int], tuple[list[Tag], bool]]) -> Iterable[Tag]:
    """Every tag of `page(1)`, `page(2)`, ... as long as they say that another follows."""
    found: dict[str, Tag] = {}
    previous: list[Tag] = []
    for number in range(1, _TAG_PAGES + 1):
        tags, has_more = page(number)
        found.update((tag.name, tag) for tag in tags)
        if not has_more:
            return found.values()
        if tags and tags == previous:
            raise TransientError("the API repeats the same page of tags")
        previous = tags
    raise PermanentError(f"the API lists more than {_TAG_PAGES * PAGE} tags", reason=Reason.FORGE_REFUSED)

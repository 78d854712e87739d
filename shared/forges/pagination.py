"""Collects ranges and tags page by page, within our own bounds. Makes no call of its own."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Iterator
from datetime import datetime
from functools import partial
from typing import TypeVar

from shared.domain.push import Commit
from shared.domain.reasons import Reason
from shared.errors import PermanentError, TransientError
from shared.forges.forge import Comparison, Tag
from shared.forges.kept_pages import Shelf
from shared.infra.socket_deadlines import Errand, meanwhile

T = TypeVar("T")
N = TypeVar("N")

PAGE = 100  # both forges clamp per_page to this
MAX_RANGE = 20_000  # commits; more than any release that Sentry would take
MAX_RANGE_TEXT = 64 * 1024 * 1024  # characters of their messages together
_TAG_PAGES = 1_000


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
    fetch: Callable[[int], T],
    read: Callable[[T], list[Commit]],
    number: int,
    following: Callable[[int, T], int | None],
    shelf: Shelf,
    listing: Hashable,
) -> Iterator[list[Commit]]:
    """What `read` makes of page `number` and of those that `following` names, each read while the next is on its way. Pages
    that are on the shelf cost no call.

    Calls are made one at a time: forges count calls at once as abuse.
    """
    while (kept := shelf.find(listing, number)) is not None:
        page, after = kept
        yield page
        if after is None:
            return
        number = after

    def keep(page: list[Commit], after: int | None) -> list[Commit]:
        text = sum(len(commit.message) for commit in page)
        shelf.keep(listing, number, page, after, items=len(page), text=text)
        return page

    answer = fetch(number)
    while (after := following(number, answer)) is not None:
        reading = Errand(partial(read, answer))
        try:
            with meanwhile(reading):
                answer = fetch(after)
        finally:
            page = keep(reading.result(), after)
        number = after
        yield page
    yield keep(read(answer), None)


def kept_page(shelf: Shelf, listing: Hashable, number: int, ask: Callable[[], list[Commit]]) -> list[Commit]:
    """The page on the shelf, else what `ask` gives, which is put there."""
    if (kept := shelf.find(listing, number)) is not None:
        page: list[Commit] = kept[0]
        return page
    page = ask()
    shelf.keep(listing, number, page, None, items=len(page), text=sum(len(commit.message) for commit in page))
    return page


def newest_commits(page: Callable[[int], list[Commit]], limit: int) -> tuple[Commit, ...]:
    """The first `limit` commits of the pages 1, 2, ... of PAGE each."""
    found: dict[str, Commit] = {}
    for number in range(1, -(-limit // PAGE) + 1):
        listed = page(number)
        found.update((commit.id, commit) for commit in listed)
        if len(listed) < PAGE:
            break
    return tuple(found.values())[:limit]


def with_prefix(tags: Iterable[Tag], prefix: str) -> list[Tag]:
    """Those whose name begins with `prefix`, whatever the case."""
    wanted = prefix.lower()
    return [tag for tag in tags if tag.name.lower().startswith(wanted)]


def gather_tags(page: Callable[[N], tuple[list[Tag], N | None]], first: N, shelf: Shelf, listing: Hashable) -> Iterable[Tag]:
    """Every tag of the pages at `first` and at what each page names as the next. Pages on the shelf cost no call; a list that
    was read to its end leaves none there, because tags change."""
    found: dict[str, Tag] = {}
    previous: list[Tag] = []
    place = first
    for number in range(1, _TAG_PAGES + 1):
        kept = shelf.find(listing, number)
        tags, following = page(place) if kept is None else kept[0]
        if kept is None:
            shelf.keep(listing, number, (tags, following), number + 1, items=len(tags))
        found.update((tag.name, tag) for tag in tags)
        if following is None or (tags and tags == previous):
            shelf.forget(listing)
        if following is None:
            return found.values()
        if tags and tags == previous:
            raise TransientError("the API repeats the same page of tags")
        place, previous = following, tags
    raise PermanentError(f"the API lists more than {_TAG_PAGES * PAGE} tags", reason=Reason.FORGE_REFUSED)

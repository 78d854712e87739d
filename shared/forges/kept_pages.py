"""Pages of long listings, kept between the attempts of a job, so that the next attempt continues where time ran out.

Makes no call. A range of 6,500 commits, or 14,000 tags at half a second a page, takes longer than one attempt may.
"""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from typing import Any

_MOST_ITEMS = 250_000  # commits and tags together, about 100 MB at most
_MOST_TEXT = 64 * 1024 * 1024  # characters of commit messages together
_GOOD_FOR = 1_800.0  # seconds from a listing's first page


@dataclass(slots=True)
class _Listing:
    began: float
    pages: dict[int, tuple[Any, int | None]] = field(default_factory=dict)
    items: int = 0
    text: int = 0


class KeptPages:
    """Pages by listing and number, thread-safe. The listing that was used least recently goes first."""

    def __init__(
        self, most_items: int = _MOST_ITEMS, most_text: int = _MOST_TEXT, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._most_items, self._most_text, self._clock = most_items, most_text, clock
        self._listings: OrderedDict[Hashable, _Listing] = OrderedDict()
        self._lock = threading.Lock()

    def find(self, listing: Hashable, number: int) -> tuple[Any, int | None] | None:
        """(the page, the number of the next one), None where it is not kept."""
        with self._lock:
            kept = self._listings.get(listing)
            if kept is None or self._clock() - kept.began > _GOOD_FOR:
                self._listings.pop(listing, None)
                return None
            self._listings.move_to_end(listing)
            return kept.pages.get(number)

    def keep(self, listing: Hashable, number: int, page: tuple[Any, int | None], items: int, text: int) -> None:
        """`items`: how many the page holds; `text`: characters of their messages."""
        with self._lock:
            kept = self._listings.setdefault(listing, _Listing(self._clock()))
            self._listings.move_to_end(listing)
            if number not in kept.pages:
                kept.items, kept.text = kept.items + items, kept.text + text
            kept.pages[number] = page
            while len(self._listings) > 1 and self._is_full():
                self._listings.popitem(last=False)
            if self._is_full():
                self._listings.clear()

    def forget(self, listing: Hashable) -> None:
        with self._lock:
            self._listings.pop(listing, None)

    def _is_full(self) -> bool:
        kept = self._listings.values()
        return sum(each.items for each in kept) > self._most_items or sum(each.text for each in kept) > self._most_text


class Shelf:
    """What one job reads of the kept pages and adds to them. `added`: how many pages it read that were not there."""

    def __init__(self, pages: KeptPages) -> None:
        self._pages = pages
        self._used: set[Hashable] = set()
        self.added = 0

    def find(self, listing: Hashable, number: int) -> tuple[Any, int | None] | None:
        """As `KeptPages.find`."""
        self._used.add(listing)
        return self._pages.find(listing, number)

    def keep(self, listing: Hashable, number: int, page: Any, following: int | None, *, items: int, text: int = 0) -> None:
        """As `KeptPages.keep`."""
        self.added += 1
        self._pages.keep(listing, number, (page, following), items, text)

    def forget(self, listing: Hashable) -> None:
        """A listing that may change must be read anew once it has been read to its end."""
        self._pages.forget(listing)

    def forget_all(self) -> None:
        """The job has what it asked for."""
        for listing in self._used:
            self._pages.forget(listing)

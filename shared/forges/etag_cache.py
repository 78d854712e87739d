"""Answers kept for the next conditional request: what was read from a page, and the ETag it came with. Makes no call."""

from __future__ import annotations

import random
import threading
from dataclasses import dataclass
from typing import Any

_MOST_PAGES = 512  # a page of tags holds 100 small values: about 10 MB when full


@dataclass(frozen=True, slots=True)
class KeptPage:
    etag: str
    value: Any


class PageCache:
    """Pages by URL. One token's only: what a token may see is part of an answer.

    When it is full, a random page goes. A list with more pages than there is room for is read from its first page to its last
    each time: if the page that was used longest ago went, each page would go just before it is needed.
    """

    def __init__(self, most: int = _MOST_PAGES) -> None:
        self._most = most
        self._pages: dict[str, KeptPage] = {}
        self._urls: list[str] = []
        self._lock = threading.Lock()

    def find(self, url: str) -> KeptPage | None:
        with self._lock:
            return self._pages.get(url)

    def keep(self, url: str, etag: str, value: Any) -> None:
        with self._lock:
            if url not in self._pages:
                self._make_room(url)
            self._pages[url] = KeptPage(etag, value)

    def _make_room(self, url: str) -> None:
        if len(self._urls) < self._most:
            self._urls.append(url)
            return
        place = random.randrange(len(self._urls))  # noqa: S311  (no secret)
        del self._pages[self._urls[place]]
        self._urls[place] = url

"""Answers kept for the next conditional request: what was read from a page, and the ETag it came with. Makes no call."""

from __future__ import annotations

import threading
from collections import OrderedDict
from dataclasses import dataclass
from typing import Any

_MOST_PAGES = 256  # a page of tags holds 100 small values: about 5 MB when full


@dataclass(frozen=True, slots=True)
class KeptPage:
    etag: str
    value: Any


class PageCache:
    """The pages asked for most recently, by URL. One token's only: what a token may see is part of an answer."""

    def __init__(self, most: int = _MOST_PAGES) -> None:
        self._most = most
        self._pages: OrderedDict[str, KeptPage] = OrderedDict()
        self._lock = threading.Lock()

    def find(self, url: str) -> KeptPage | None:
        with self._lock:
            kept = self._pages.get(url)
            if kept is not None:
                self._pages.move_to_end(url)
            return kept

    def keep(self, url: str, etag: str, value: Any) -> None:
        with self._lock:
            self._pages[url] = KeptPage(etag, value)
            self._pages.move_to_end(url)
            while len(self._pages) > self._most:
                self._pages.popitem(last=False)

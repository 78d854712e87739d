"""Tag lists that this process has read: a list read after a tag was pushed serves every later release of that repository."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Sequence
from datetime import datetime, timedelta

from shared.forges.forge import Tag

_MOST_TAGS = 100_000  # together, about 20 MB
_GOOD_FOR = timedelta(minutes=10)
_CLOCKS_DIFFER = timedelta(seconds=1)  # the receiver's and ours


class TagLists:
    """Lists by repository and prefix, thread-safe."""

    def __init__(self, most_tags: int = _MOST_TAGS) -> None:
        self._most = most_tags
        self._lists: OrderedDict[tuple[str, str], tuple[datetime, Sequence[Tag]]] = OrderedDict()
        self._lock = threading.Lock()

    def find(self, repository: str, prefix: str, pushed_at: datetime, now: datetime) -> Sequence[Tag] | None:
        """The list, if it was read after `pushed_at` and not long ago."""
        with self._lock:
            read_at, tags = self._lists.get((repository, prefix), (None, ()))
        if read_at is None or read_at < pushed_at + _CLOCKS_DIFFER or now - read_at > _GOOD_FOR:
            return None
        return tags

    def keep(self, repository: str, prefix: str, tags: Sequence[Tag], read_at: datetime) -> None:
        """`read_at`: when it was begun to be read."""
        with self._lock:
            self._lists[repository, prefix] = (read_at, tags)
            self._lists.move_to_end((repository, prefix))
            while len(self._lists) > 1 and sum(len(tags) for _, tags in self._lists.values()) > self._most:
                self._lists.popitem(last=False)

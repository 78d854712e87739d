"""The times of commits as a forge gave them. They never change, so one answer serves every later release. Makes no call."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Mapping
from datetime import datetime

_MOST = 200_000  # about 30 MB


class CommitTimes:
    """{sha: time}, thread-safe. Begins anew when it is full."""

    def __init__(self, most: int = _MOST) -> None:
        self._most = most
        self._times: dict[str, datetime] = {}
        self._lock = threading.Lock()

    def find(self, shas: Iterable[str]) -> dict[str, datetime]:
        """Those that are known."""
        with self._lock:
            return {sha: self._times[sha] for sha in shas if sha in self._times}

    def keep(self, times: Mapping[str, datetime]) -> None:
        with self._lock:
            if len(self._times) + len(times) > self._most:
                self._times.clear()
            self._times.update(times)

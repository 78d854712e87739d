"""Removes contents that nothing names any longer, and chunks that were never assembled. In a thread of its own."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.engine import Engine

from releases.artifacts.blobs import Blobs
from releases.store import blobs as blob_store
from shared.infra import logs

_EVERY_SECONDS = 3_600
_LASTING = timedelta(hours=6)  # of chunks, between their upload and their assembly
_AT_ONCE = 500
_FILE_SECONDS = 24 * 3_600  # a file is named by a row long before


class Sweeper:
    """Sweeps when it is asked to and the last time is an hour ago."""

    def __init__(self, engine: Engine, blobs: Blobs, clock: Callable[[], datetime]) -> None:
        self._engine, self._blobs, self._clock = engine, blobs, clock
        self._lock = threading.Lock()
        self._last: float | None = None
        self._thread: threading.Thread | None = None

    def ask(self) -> None:
        """Returns at once."""
        with self._lock:
            if self._last is not None and time.monotonic() - self._last < _EVERY_SECONDS:
                return
            self._last = time.monotonic()
            self._thread = threading.Thread(target=self._run, name="artifacts-sweep", daemon=True)
            self._thread.start()

    def stop(self) -> None:
        if self._thread is not None:
            self._thread.join(timeout=5)

    def _run(self) -> None:
        try:
            self.sweep()
        except (sa.exc.SQLAlchemyError, OSError) as problem:  # the next one does it
            logs.get(__name__).warning("releases.sweep_failed", error=str(problem))

    def sweep(self) -> int:
        """How many files were removed."""
        before = self._clock() - _LASTING
        with self._engine.begin() as connection:
            blob_store.forget_chunks(connection, before)
        removed = 0
        while True:
            with self._engine.begin() as connection:
                places = blob_store.take_orphans(connection, before, _AT_ONCE)
            self._blobs.drop(*places)
            removed += len(places)
            if len(places) < _AT_ONCE:
                break
        old = list(self._blobs.old_files(_FILE_SECONDS))
        with self._engine.connect() as connection:
            strays = blob_store.unknown_places(connection, old)
        self._blobs.drop(*strays)
        if removed or strays:
            logs.get(__name__).info("releases.swept", contents=removed, strays=len(strays))
        return removed + len(strays)

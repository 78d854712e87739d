"""Measures how long accepting a delivery takes. Each process counts for itself and adds to the common tallies every few
seconds, apart from any answer; a process that is killed takes the last few seconds of its counts with it."""

from __future__ import annotations

import asyncio
import threading
import time
from datetime import datetime

from flask import Flask, Response
from sqlalchemy.engine import Engine
from sqlalchemy.exc import SQLAlchemyError

from shared.infra import logs
from shared.infra.patience import waiting_at_most
from shared.ledger import rollups

_EVERY_SECONDS = 5.0
_WRITE_SECONDS = 2.0  # the next deliveries wait for it

logger = logs.get(__name__)


class AcceptTimes:
    """`note` keeps a number; `flush` counts and writes."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._lock = threading.Lock()
        self._noted: list[tuple[datetime, float]] = []
        self._flush_at = 0.0

    def note(self, at: datetime, seconds: float) -> None:
        with self._lock:
            self._noted.append((at, seconds))

    def is_due(self) -> bool:
        """Whether something waits to be written, and it is time."""
        moment = time.monotonic()
        if moment < self._flush_at or not self._noted:
            return False
        with self._lock:
            if moment < self._flush_at:
                return False
            self._flush_at = moment + _EVERY_SECONDS
            return True

    def flush(self) -> None:
        with self._lock:
            noted, self._noted = self._noted, []
        fold = rollups.Fold()
        for at, seconds in noted:
            fold.time(at, "accept_seconds", seconds)
        if not noted:
            return
        try:
            with waiting_at_most(_WRITE_SECONDS), self._engine.begin() as connection:
                rollups.add(connection, fold)
        except SQLAlchemyError as problem:
            logger.warning("metrics.unstored", error=type(problem).__name__)

    async def flush_if_due(self) -> None:
        """From the event loop, which does not write itself."""
        if self.is_due():
            await asyncio.to_thread(self.flush)


def register(app: Flask, times: AcceptTimes) -> None:
    """Write them down with whatever request comes, a health check too."""

    @app.after_request
    def _end(response: Response) -> Response:
        if times.is_due():
            response.call_on_close(times.flush)
        return response

"""Measures how long accepting a delivery takes. Each process counts for itself and adds to the common tallies every few
seconds, after an answer has gone out; a process that is killed takes the last few seconds of its counts with it."""

from __future__ import annotations

import threading
import time
from datetime import UTC, datetime

from flask import Flask, Response, g, request
from sqlalchemy.engine import Engine
from sqlalchemy.exc import SQLAlchemyError

from shared import log, tallies

_EVERY_SECONDS = 5.0
_ENDPOINT = "receive.receive"

logger = log.get(__name__)


class AcceptTimes:
    """`note` costs an addition; `flush` writes."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._lock = threading.Lock()
        self._fold = tallies.Fold()
        self._flush_at = 0.0

    def note(self, seconds: float) -> None:
        with self._lock:
            self._fold.time(datetime.now(UTC), "accept_seconds", seconds)

    def is_due(self) -> bool:
        """Whether something waits to be written, and it is time."""
        moment = time.monotonic()
        with self._lock:
            if moment < self._flush_at or not self._fold.numbers:
                return False
            self._flush_at = moment + _EVERY_SECONDS
            return True

    def flush(self) -> None:
        with self._lock:
            fold, self._fold = self._fold, tallies.Fold()
        if not fold.numbers:
            return
        try:
            with self._engine.begin() as connection:
                tallies.add(connection, fold)
        except SQLAlchemyError as problem:
            logger.warning("metrics.unstored", error=type(problem).__name__)


def register(app: Flask, engine: Engine) -> AcceptTimes:
    """Time every accepted delivery of the app."""
    times = AcceptTimes(engine)

    @app.before_request
    def _start() -> None:
        g.started = time.perf_counter()

    @app.after_request
    def _end(response: Response) -> Response:
        if request.endpoint == _ENDPOINT and response.status_code < 300:
            times.note(time.perf_counter() - g.started)
        if times.is_due():  # whatever was asked for, a health check too
            response.call_on_close(times.flush)
        return response

    return times

"""The sweeper: a plain loop that knocks for whatever is due and was not knocked for lately, and rescues lost leases.

Not a Celery task, since it matters most when the broker is away. Every step is one conditional update or harmless to
repeat, so several sweepers do no harm.
"""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta

from celery import Celery
from sqlalchemy.engine import Engine

from shared import jobs, log
from shared.db import reading
from shared.queue import publish, queue_length
from shared.states import JobState

INTERVAL = timedelta(seconds=1)
KNOCK_AGAIN_AFTER = timedelta(seconds=10)
WINDOW = 500  # how many messages may wait at the broker before we add none: a long outage must not become a flood

logger = log.get(__name__)


class Sweeper:
    """`tick` is one sweep; `run` sweeps until `stopping` is set."""

    def __init__(self, engine: Engine, app: Celery) -> None:
        self._engine = engine
        self._app = app
        self._broker_is_down = False
        self.stopping = threading.Event()

    def run(self, interval: timedelta = INTERVAL) -> None:
        while not self.stopping.wait(interval.total_seconds()):
            try:
                self.tick(datetime.now(UTC))
            except Exception:  # the database is away for a moment, or a fault of ours: the next tick tries again
                logger.exception("sweep.failed")

    def tick(self, now: datetime) -> int:
        """Rescue, then knock; returns how many jobs were knocked for."""
        self._rescue(now)
        with reading(self._engine).begin() as connection:
            waiting = jobs.due(connection, now=now, knock_again_after=KNOCK_AGAIN_AFTER, limit=WINDOW)
        if not waiting:
            return 0
        try:
            waiting = waiting[: max(0, WINDOW - queue_length(self._app))]
            publish(self._app, waiting)
        except Exception as problem:  # whatever the broker's client raises: the rows stay due
            if not self._broker_is_down:
                logger.warning("sweep.broker_down", reason="broker_down", error=type(problem).__name__)
            self._broker_is_down = True
            return 0
        if self._broker_is_down:
            logger.info("sweep.broker_back")
            self._broker_is_down = False
        if waiting:
            # After the publish: a crash in between knocks twice, the other order would not knock at all.
            with self._engine.begin() as connection:
                jobs.stamp_knocked(connection, waiting, now=now)
            logger.info("sweep.knocked", jobs=len(waiting))
        return len(waiting)

    def _rescue(self, now: datetime) -> None:
        with reading(self._engine).begin() as connection:
            if not jobs.has_expired_lease(connection, now=now):
                return
        with self._engine.begin() as connection:
            moved = jobs.rescue(connection, now=now)
        for job_id, state in moved:
            event = "job.rescued" if state is JobState.QUEUED else "job.failed"
            logger.warning(event, job=job_id, reason=None if state is JobState.QUEUED else "attempts_exhausted")

"""The sweeper's comparisons of forges with our releases: those that people ask for, and the timer's.

In a thread of its own, since a forge may take minutes to list its tags. Several sweepers share the work: each comparison
is taken by one of them, and what it makes is one job a tag however often it is made.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from sqlalchemy.engine import Connection, Engine

from shared.domain.rules import Rules
from shared.errors import PermanentError, TransientError
from shared.forges.errors import RateLimited
from shared.infra import logs
from shared.infra.database import reading
from shared.infra.outages import Outage
from shared.ledger import reconcile_runs
from shared.ledger.reconcile_runs import Claimed
from shared.reconcile import Comparer, LostRun, ReconcileRun
from worker.sweeper.reconcile_schedule import Timer

LOOK_EVERY = timedelta(seconds=2)
STEP_PAUSE = timedelta(seconds=0.5)  # between two steps of a run: other writers come in between

logger = logs.get(__name__)


class _Stopped(Exception):
    """The sweeper is to end; another one goes on."""


class Comparing:
    """`step` makes one comparison that is due; `run` goes on until `stopping` is set."""

    def __init__(
        self,
        engine: Engine,
        comparer: Comparer,
        timer: Timer,
        stopping: threading.Event,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._engine = engine
        self._clock = clock
        self._comparer = comparer
        self._timer = timer
        self._stopping = stopping

    def use(self, rules: Rules) -> None:
        """Put other rules in force. A comparison that has begun keeps those it began with."""
        self._timer.use(rules.reconcile)
        self._comparer = self._comparer.under(rules)

    def run(self) -> None:
        outage = Outage("reconcile")
        while not self._stopping.wait(LOOK_EVERY.total_seconds()):
            try:
                self._timer.step(self._clock())
                while not self._stopping.is_set() and self.step():
                    pass
            except Exception as problem:  # the database is away for a moment, or a fault of ours: the next look tries again
                outage.failed(problem)
            else:
                outage.worked()

    def step(self) -> bool:
        """Whether there was one."""
        now = self._clock()
        with reading(self._engine).begin() as connection:
            key = reconcile_runs.find_due(connection, now=now)
        if key is None:
            return False
        with self._engine.begin() as connection:
            mine = reconcile_runs.claim(connection, key, now=now)
        if mine is not None:
            self._make(mine)
        return True

    def _make(self, mine: Claimed) -> None:
        """The comparison and how it ended."""
        try:
            self._compare(mine)
        except _Stopped:
            self._write(lambda connection, now: reconcile_runs.wait(connection, mine, until=now, why=None))
        except LostRun:
            logger.warning("reconcile.lease_lost", repository=mine.key)
        except RateLimited as problem:
            why, until = str(problem), problem.until
            self._write(lambda connection, _: reconcile_runs.wait(connection, mine, until=until, why=why))
            logger.info("reconcile.waiting", repository=mine.key, until=until.isoformat(), reason=problem.reason)
        except TransientError as problem:
            why = str(problem)
            self._write(lambda connection, now: reconcile_runs.try_again(connection, mine, why=why, now=now))
            logger.warning("reconcile.retrying", repository=mine.key, error=why)
        except PermanentError as problem:
            why = str(problem)
            self._write(lambda connection, now: reconcile_runs.end(connection, mine, error=why, now=now))
            logger.warning("reconcile.failed", repository=mine.key, error=why, reason=problem.reason)

    def _compare(self, mine: Claimed) -> None:
        run = ReconcileRun(self._engine, self._comparer, mine, pause=self._rest, clock=self._clock)
        try:
            found = run.compare()
        except TransientError:
            if self._stopping.is_set():  # that is why no time was left for the call
                raise _Stopped from None
            raise
        for _ in run.create(found):
            pass
        logger.info(
            "reconcile.done",
            repository=mine.key,
            tags=found.tags,
            missing=len(found.missing),
            queued=len(run.queued),
            trigger="timer" if mine.is_by_timer else "person",
        )

    def _rest(self) -> None:
        self._stopping.wait(STEP_PAUSE.total_seconds())
        if self._stopping.is_set():
            raise _Stopped

    def _write(self, write: Callable[[Connection, datetime], bool]) -> None:
        """Nothing is written once the lease has run out and another sweeper has it."""
        with self._engine.begin() as connection:
            write(connection, self._clock())

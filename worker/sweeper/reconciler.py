"""The sweeper's comparisons of forges with our releases: those that people ask for, and the timer's.

In a thread of its own, since a forge may take minutes to list its tags. Several sweepers share the work: each comparison
is taken by one of them, and what it makes is one job a tag however often it is made.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from sqlalchemy.engine import Connection, Engine

from shared.domain.reconcile_report import ReconcileEntry, ReconcileReport
from shared.errors import PermanentError, TransientError
from shared.forges.errors import RateLimited
from shared.forges.repository_key import read_repository
from shared.infra import logs
from shared.infra.database import reading
from shared.ledger import reconcile_runs
from shared.ledger.reconcile_runs import Claimed
from shared.reconcile import NO_JOB, Comparer, queue
from worker.sweeper.reconcile_schedule import Timer

LOOK_EVERY = timedelta(seconds=2)
STEP = 25  # jobs queued in a row
STEP_PAUSE = timedelta(seconds=0.5)  # after each row of them: other writers come in between

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

    def run(self) -> None:
        while not self._stopping.wait(LOOK_EVERY.total_seconds()):
            try:
                self._timer.step(self._clock())
                while not self._stopping.is_set() and self.step():
                    pass
            except Exception:  # the database is away for a moment, or a fault of ours: the next look tries again
                logger.exception("reconcile.broke")

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
        repository = read_repository(mine.key)
        try:
            found = self._comparer.compare(repository, mine.most_tags, believes_ledger=mine.is_by_timer)
        except TransientError:
            if self._stopping.is_set():  # that is why no time was left for the call
                raise _Stopped from None
            raise
        to_create = wanted_of(found, mine)
        if not self._write(
            lambda connection, now: reconcile_runs.save(connection, mine, found, to_create=len(to_create), now=now)
        ):
            return
        handled = queued = 0
        while handled < len(to_create):
            if self._stopping.is_set():
                raise _Stopped
            row = to_create[handled : handled + STEP]
            made = queue(repository, row, self._engine, mine.trigger, self._clock)
            queued += sum(job is not None for job in made)
            handled += len(row)
            if not self._note(mine, handled, queued):
                return
            if handled < len(to_create):
                self._stopping.wait(STEP_PAUSE.total_seconds())
        if self._write(lambda connection, now: reconcile_runs.end(connection, mine, error=None, now=now)):
            logger.info(
                "reconcile.done",
                repository=mine.key,
                tags=found.tags,
                missing=len(found.missing),
                queued=queued,
                trigger="timer" if mine.is_by_timer else "person",
            )

    def _note(self, mine: Claimed, handled: int, queued: int) -> bool:
        return self._write(
            lambda connection, now: reconcile_runs.advance(connection, mine, handled=handled, queued=queued, now=now)
        )

    def _write(self, write: Callable[[Connection, datetime], bool]) -> bool:
        """False: the lease ran out and another sweeper has it."""
        with self._engine.begin() as connection:
            return write(connection, self._clock())


def wanted_of(found: ReconcileReport, mine: Claimed) -> tuple[ReconcileEntry, ...]:
    """What this comparison is to queue. The timer leaves alone what has a job: a person may have cancelled it."""
    if not mine.creates:
        return ()
    return tuple(entry for entry in found.missing if not mine.is_by_timer or entry.why == NO_JOB)

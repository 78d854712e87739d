"""The sweeper: a plain loop that knocks for whatever is due and had no effect yet, and rescues lost leases.

Not a Celery task, since it matters most when the broker is away. Every step is one conditional update or harmless to
repeat, so several sweepers do no harm.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from celery import Celery
from sqlalchemy.engine import Engine

from shared.broker import publish, queue_length
from shared.domain.job_states import JobState
from shared.domain.reasons import Reason
from shared.domain.rules import NO_RULES, Rules
from shared.infra import logs
from shared.infra.database import reading
from shared.infra.outages import Outage
from shared.ledger import due_jobs
from shared.ledger.job_transitions import KNOCK_AGAIN_AFTER
from shared.ledger.rescue import has_expired_lease, rescue
from shared.ledger.retention import Retention
from shared.ledger.rollups import Folding
from worker.sweeper.bulk_finisher import BulkFinisher
from worker.sweeper.dispatcher import Feeder
from worker.sweeper.history_keeper import LogKeeper

INTERVAL = timedelta(seconds=1)
BUSY_INTERVAL = timedelta(seconds=0.25)  # while there is more to feed than one sweep may
WINDOW = 500  # how many messages may wait at the broker before we add none: a long outage must not become a flood
# A broker with nothing left to hand out has lost what was sent before this: it was wiped, or a worker died with it.
UNHEARD_AFTER = timedelta(seconds=2)

logger = logs.get(__name__)


class Sweeper:
    """`tick` is one sweep; `run` sweeps until `stopping` is set."""

    def __init__(
        self,
        engine: Engine,
        app: Celery,
        rules: Rules = NO_RULES,
    ) -> None:
        self._engine = engine
        self._app = app
        self._feeder = Feeder(engine, _paces(rules))
        self._retention = Retention(engine)
        self._folding = Folding(engine, rules.sources)
        self._log_keeper = LogKeeper(engine, rules)
        self._bulk_finisher = BulkFinisher(engine)
        self._broker_is_down = False
        self.stopping = threading.Event()
        self._steps: tuple[tuple[str, Callable[[datetime], object]], ...] = (
            ("rescue", self.rescue),
            ("sweep", self.tick),
            ("rollups", self._folding.step),
            ("retention", self._retention.step),
            ("history", self._log_keeper.step),
            ("bulk_acts", self._bulk_finisher.step),
        )
        self._outages = {name: Outage(name) for name, _ in self._steps}

    def use(self, rules: Rules) -> None:
        """Put other rules in force. A step that has begun keeps those it began with."""
        self._feeder.use(_paces(rules))
        self._folding.use(rules.sources)
        self._log_keeper.use(rules)

    def run(self, interval: timedelta = INTERVAL) -> None:
        pause = interval
        while not self.stopping.wait(pause.total_seconds()):
            now, knocked = datetime.now(UTC), 0
            for name, step in self._steps:
                if self.stopping.is_set():
                    break
                # One that meets a row that it cannot read keeps none of the others from its turn.
                if (found := self._guarded(name, step, now)) is not None and name == "sweep":
                    knocked = found
            pause = min(BUSY_INTERVAL, interval) if knocked >= WINDOW // 4 else interval

    def _guarded(self, name: str, step: Callable[[datetime], object], now: datetime) -> int | None:
        outage = self._outages[name]
        try:
            found = step(now)
        except Exception as problem:  # the database is away for a moment, or a fault of ours: the next tick tries again
            outage.failed(problem)
            return None
        outage.worked()
        return found if isinstance(found, int) else None

    def tick(self, now: datetime) -> int:
        """Knock for what is due; returns how many jobs were knocked for."""
        targets = self._feeder.waiting()
        if not targets:
            return 0
        try:
            length = queue_length(self._app)
            until = now if length else now + KNOCK_AGAIN_AFTER - UNHEARD_AFTER
        except Exception as problem:  # whatever the broker's client raises: the rows stay due
            return self._miss(problem)
        chosen = self._feeder.choose(targets, now=now, until=until, room=WINDOW - length)
        try:
            publish(self._app, chosen, is_busy=False)
        except Exception as problem:
            return self._miss(problem)
        if self._broker_is_down:
            logger.info("sweep.broker_back")
            self._broker_is_down = False
        if chosen:
            # After the publish: a crash in between knocks twice, the other order would not knock at all.
            with self._engine.begin() as connection:
                due_jobs.stamp(connection, chosen, now=now)
            logger.info("sweep.knocked", jobs=len(chosen))
        return len(chosen)

    def _miss(self, problem: Exception) -> int:
        if not self._broker_is_down:
            logger.warning("sweep.broker_down", reason=Reason.BROKER_DOWN, error=type(problem).__name__)
        self._broker_is_down = True
        return 0

    def rescue(self, now: datetime) -> None:
        """Take back the jobs of workers that vanished."""
        with reading(self._engine).begin() as connection:
            if not has_expired_lease(connection, now=now):
                return
        with self._engine.begin() as connection:
            moved = rescue(connection, now=now)
        for job_id, state in moved:
            event = "job.rescued" if state is JobState.QUEUED else "job.failed"
            logger.warning(event, job=job_id, reason=None if state is JobState.QUEUED else Reason.ATTEMPTS_EXHAUSTED)


def _paces(rules: Rules) -> dict[str, float]:
    return {target.name: target.pace for target in rules.targets.values()}

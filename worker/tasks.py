"""The Celery door: takes job ids, claims each job, has it processed, records how it ended. No decisions here."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

import structlog
from sqlalchemy.engine import Engine
from sqlalchemy.exc import IntegrityError

from shared import jobs, log
from shared.errors import PermanentError, TransientError
from worker.gather import Wait
from worker.process import Done, LostLease, Tools, process
from worker.retry import RetryAt, RetryPolicy, decide_retry
from worker.waits import Snooze, snooze

logger = log.get(__name__)


class Runner:
    """Runs jobs by id. `stopping` is set on shutdown: what has not begun then stays queued for another worker."""

    def __init__(self, engine: Engine, tools: Tools, policy: RetryPolicy | None = None) -> None:
        self._engine = engine
        self._tools = tools
        self._policy = policy or RetryPolicy()
        self.stopping = tools.gatherer.stopping

    def run(self, job_ids: Sequence[str]) -> None:
        """One message's worth. A fault in one job never keeps the next from its turn; the sweeper finds what was left."""
        for job_id in job_ids:
            if self.stopping.is_set():
                return
            with structlog.contextvars.bound_contextvars(job=job_id):
                try:
                    self._run_one(job_id)
                except Exception:
                    logger.exception("job.unrecorded")

    def _run_one(self, job_id: str) -> None:
        try:
            with self._engine.begin() as connection:
                job = jobs.claim(connection, job_id, now=datetime.now(UTC))
        except IntegrityError:
            return  # another job of the same release began in this moment; the sweeper knocks for this one again
        if job is None:
            return  # done, taken by another worker, or not due: the knock was one too many
        with structlog.contextvars.bound_contextvars(
            delivery=job.delivery_id, attempt=job.number, target=job.target, version=job.version
        ):
            try:
                done = process(job, self._tools, lambda **facts: self._note(job, facts))
            except LostLease:
                logger.warning("job.lease_lost")
            except Wait as wait:
                self._record_wait(job, wait.snooze, {})
            except Exception as problem:
                self._record_fault(job, problem)
            else:
                self._record_success(job, done)

    def _note(self, job: jobs.Claimed, facts: dict[str, Any]) -> bool:
        with self._engine.begin() as connection:
            return jobs.note(connection, job.id, job.number, **facts)

    def _record_wait(self, job: jobs.Claimed, wait: Snooze, facts: dict[str, Any]) -> None:
        with self._engine.begin() as connection:
            now = datetime.now(UTC)
            if facts:
                jobs.note(connection, job.id, job.number, **facts)
            kept = jobs.snooze(connection, job.id, job.number, at=wait.at, waiting=wait.waiting, now=now)
        logger.info("job.waiting" if kept else "job.lease_lost", **wait.waiting)

    def _record_success(self, job: jobs.Claimed, done: Done) -> None:
        if done.complete_at is not None:
            facts = {"range": done.range, "release_url": done.sent.url, "outcome": done.sent.outcome}
            why = str(done.range["partial"]) if done.range else ""
            self._record_wait(job, snooze(done.complete_at, "commits_partial", why), facts)
            return
        with self._engine.begin() as connection:
            kept = jobs.succeed(
                connection,
                job.id,
                job.number,
                outcome=done.sent.outcome,
                http_status=done.sent.http_status,
                release_url=done.sent.url,
                found=done.range,
                now=datetime.now(UTC),
            )
        logger.info("job.succeeded" if kept else "job.lease_lost", outcome=done.sent.outcome, status=done.sent.http_status)

    def _record_fault(self, job: jobs.Claimed, problem: Exception) -> None:
        if not isinstance(problem, (TransientError, PermanentError)):
            logger.exception("job.unexpected")
        now = datetime.now(UTC)
        decision = decide_retry(
            problem, tried=job.tried, allowed=jobs.BUDGET, now=now, random=random.random, policy=self._policy
        )
        record = jobs.retry_later if isinstance(decision, RetryAt) else jobs.fail
        with self._engine.begin() as connection:
            kept = record(connection, job.id, job.number, now=now, **asdict(decision))
        event = "job.retrying" if isinstance(decision, RetryAt) else "job.failed"
        logger.warning(
            event if kept else "job.lease_lost",
            reason=decision.reason,
            error=decision.error,
            status=decision.http_status,
            **({"at": decision.at.isoformat()} if isinstance(decision, RetryAt) else {}),
        )

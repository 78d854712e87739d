"""The Celery door: takes job ids, claims each job, has it processed, records how it ended. No decisions here."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import structlog
from sqlalchemy.engine import Connection, Engine
from sqlalchemy.exc import DataError, SQLAlchemyError

from shared.domain import attempt_end
from shared.domain.job_warnings import as_json
from shared.domain.reasons import Party, Reason
from shared.domain.rules import Rules
from shared.domain.target_health import Seen, Sign, is_to_be_asked
from shared.errors import PermanentError, TransientError
from shared.infra import logs
from shared.infra.database import reading
from shared.infra.outages import Outage, is_database_away
from shared.ledger import claims, job_transitions, target_states
from shared.ledger.contributions import Contribution, contribute
from shared.targets.http_exchanges import Exchanges
from worker.commits.forge_wait import Snooze, snooze
from worker.commits.history_writer import log_few
from worker.commits.release_commits import Wait
from worker.jobs.attempt import Done, Tools, is_answering, process
from worker.jobs.deploys import LostLease
from worker.jobs.recollect_end import begun_if_reached, completing, giving_up
from worker.jobs.retry_policy import RetryAt, RetryPolicy, decide_retry, read_sign
from worker.jobs.target_changes import log_change
from worker.jobs.unreadable import end_if_unreadable

RECORD_AGAIN_SECONDS = (0.2, 0.5, 1.0, 2.0, 4.0)

logger = logs.get(__name__)


class _NotYet(Exception):
    """It is not this job's turn at its target; the claim is rolled back."""


class Runner:
    """Runs jobs by id. `stopping` is set on shutdown: what has not begun then stays queued for another worker."""

    def __init__(self, engine: Engine, tools: Tools, policy: RetryPolicy | None = None) -> None:
        self._engine = engine
        self._tools = tools
        self._policy = policy or RetryPolicy()
        self._outage = Outage("jobs")
        self._running: dict[str, claims.Claimed] = {}
        self.stopping = tools.gatherer.stopping
        self.on_free: Callable[[], object] = lambda: None  # called when a message is done and its thread free again

    def use(self, rules: Rules) -> None:
        """Put other rules in force. A job that has begun keeps its own."""
        self._tools = self._tools.under(rules)

    def run(self, job_ids: Sequence[str]) -> None:
        """One message's worth. A fault in one job never keeps the next from its turn; the sweeper finds what was left."""
        try:
            self._run_all(job_ids)
        finally:
            self.on_free()

    def _run_all(self, job_ids: Sequence[str]) -> None:
        for position, job_id in enumerate(job_ids):
            if self.stopping.is_set():
                self._postpone(job_ids[position:])
                return
            with structlog.contextvars.bound_contextvars(job=job_id):
                try:
                    self._run_one(job_id)
                    self._outage.worked()
                except Exception as problem:
                    end_if_unreadable(self._engine, job_id, problem, self._outage)

    def _run_one(self, job_id: str) -> None:
        tools = self._tools
        try:
            job, wait = self._claim(job_id, tools.rules)
        except claims.JustBegun:
            return  # the sweeper knocks for this one again
        except _NotYet:
            self._postpone([job_id])
            return
        if job is None:
            return  # done, taken by another worker, or not due: the knock was one too many
        with structlog.contextvars.bound_contextvars(
            delivery=job.delivery_id, attempt=job.number, target=job.target, version=job.version
        ):
            self._running[job.id] = job
            try:
                self._attempt(job, wait, tools)
            finally:
                self._running.pop(job.id, None)

    def _claim(self, job_id: str, rules: Rules) -> tuple[claims.Claimed | None, float]:
        """The job, and how long to wait for its turn. Both in one transaction: a turn is never drawn for nothing."""
        now = datetime.now(UTC)
        with self._engine.begin() as connection:
            job = claims.claim(connection, job_id, now=now)
            if job is None:
                return None, 0.0
            if job.spec["set_commits"] == "auto":
                # With the claim, which saves a transaction of its own.
                log_few(connection, provider=job.provider, repository=job.repository, rules=rules)
            target = rules.targets.get(job.target)
            wait = target_states.take_turn(
                connection,
                job.target,
                pace=target.pace if target else target_states.UNKNOWN_PACE,
                calls=2 if job.spec["environment"] else 1,
                now=now,
            )
            if wait is None:
                raise _NotYet
            return job, wait

    def _attempt(self, job: claims.Claimed, wait: float, tools: Tools) -> None:
        if wait and self.stopping.wait(wait):
            self.hand_back()
            return
        kept = Exchanges()
        try:
            done = process(job, tools, lambda **facts: self._note(job, facts), kept)
        except LostLease:
            logger.warning("job.lease_lost")
        except Wait as wait_for:
            self._record_wait(job, wait_for.snooze, {}, Seen(Sign.NONE), kept)
        except Exception as problem:
            self._record_fault(job, problem, kept, tools)
        else:
            self._record_success(job, done, kept)

    def hand_back(self) -> list[str]:
        """Give up every job in our hands, so that another worker begins it at once. Whoever finishes late changes nothing."""
        handed = []
        for job in list(self._running.values()):
            with self._engine.begin() as connection:
                now = datetime.now(UTC)
                if job_transitions.end(connection, job.id, job.number, attempt_end.handed_back(now), now=now):
                    handed.append(job.id)
        if handed:
            logger.info("jobs.handed_back", jobs=handed)
        return handed

    def _postpone(self, job_ids: Sequence[str]) -> None:
        with self._engine.begin() as connection:
            job_transitions.postpone(connection, job_ids, now=datetime.now(UTC))

    def _note(self, job: claims.Claimed, facts: dict[str, Any]) -> bool:
        with self._engine.begin() as connection:
            return job_transitions.note(connection, job.id, job.number, **facts)

    def _close(self, job: claims.Claimed, seen: Seen, write: Callable[[Connection, datetime], bool]) -> bool:
        """Write down how the attempt ended, however often it takes: the database may be away, or its disk full, for a moment.
        What is never written down is found by its lease, and sent again."""
        for pause in RECORD_AGAIN_SECONDS:
            try:
                return self._close_once(job, seen, write)
            except DataError:
                raise
            except SQLAlchemyError as problem:
                logger.warning("job.not_recorded_yet", error=type(problem).__name__)
                self.stopping.wait(pause)
        return self._close_once(job, seen, write)

    def _close_once(self, job: claims.Claimed, seen: Seen, write: Callable[[Connection, datetime], bool]) -> bool:
        """The attempt and what it says about the target, both or neither."""
        now = datetime.now(UTC)
        with self._engine.begin() as connection:
            if not write(connection, now):
                logger.warning("job.lease_lost")
                return False
            before, after = target_states.record(connection, job.target, job.id, seen, now=now)
        log_change(before, after)
        return True

    def _record_wait(
        self,
        job: claims.Claimed,
        wait: Snooze,
        facts: dict[str, Any],
        seen: Seen,
        kept: Exchanges,
        own: Contribution | None = None,
    ) -> None:
        ended = attempt_end.snoozed(at=wait.at, waiting=wait.waiting)

        def write(connection: Connection, now: datetime) -> bool:
            if facts and not job_transitions.note(connection, job.id, job.number, **facts):
                return False
            if own is not None:
                contribute(connection, own, now)
            return job_transitions.end(connection, job.id, job.number, ended, now=now, exchanges=kept.as_json())

        if self._close(job, seen, begun_if_reached(job, facts.get("range"), write)):
            logger.info("job.waiting", **wait.waiting)

    def _record_success(self, job: claims.Claimed, done: Done, kept: Exchanges) -> None:
        if job.is_recollect or (sent := done.sent) is None:
            self._record_recollect(job, done, kept)
            return
        dated = {"event_at": done.event_at} if job.delivery_id is None and job.release_url is None else {}
        if done.complete_at is not None:
            facts = {
                **dated,
                "range": done.range,
                "release_url": sent.url,
                "outcome": sent.outcome,
                "reason": attempt_end.PARTIAL,
                "error": None,
                "warnings": as_json(done.warnings),
            }
            wait = snooze(done.complete_at, Reason.COMMITS_PARTIAL, str(done.range["partial"]) if done.range else "")
            self._record_wait(job, wait, facts, Seen(Sign.WELL), kept, done.own)
            return
        ended = attempt_end.succeeded(
            outcome=sent.outcome,
            http_status=sent.http_status,
            release_url=sent.url,
            found=done.range,
            warnings=done.warnings,
        )

        def write(connection: Connection, now: datetime) -> bool:
            if dated and not job_transitions.note(connection, job.id, job.number, **dated):
                return False
            is_ours = job_transitions.end(connection, job.id, job.number, ended, now=now, exchanges=kept.as_json())
            if is_ours and done.own is not None:
                contribute(connection, done.own, now)
            if is_ours and done.deployed_at is not None:
                job_transitions.return_for_deploy(connection, job.id, done.deployed_at, now=now)
            return is_ours

        if self._close(job, Seen(Sign.WELL), begun_if_reached(job, done.range, write)):
            warned = {"warnings": [warning.code for warning in done.warnings]} if done.warnings else {}
            logger.info("job.succeeded", outcome=sent.outcome, status=sent.http_status, **warned)

    def _record_recollect(self, job: claims.Claimed, done: Done, kept: Exchanges) -> None:
        if self._close(job, Seen(Sign.WELL if done.sent else Sign.NONE), completing(job, done, kept)):
            logger.info("job.recollected", is_sent=done.sent is not None, **(done.changes or {}))

    def _record_not_recollected(self, job: claims.Claimed, problem: Exception, seen: Seen, kept: Exchanges) -> None:
        """A target that limits us only lets it wait."""
        if isinstance(problem, TransientError) and problem.status == 429:
            at = datetime.now(UTC) + (problem.retry_after or timedelta(minutes=1))
            self._record_wait(job, snooze(at, Reason.RATE_LIMITED, str(problem), Party.TARGET), {}, seen, kept)
        elif self._close(job, seen, giving_up(job, problem, kept)):
            logger.warning("job.not_recollected", error=str(problem))

    def _judge(self, job: claims.Claimed, seen: Seen, kept: Exchanges, tools: Tools) -> Seen:
        """Ask the target whether it is there, before releases that it never takes pause it for all others."""
        try:
            with reading(self._engine).begin() as connection:
                health = target_states.find_one(connection, job.target)
        except SQLAlchemyError:  # the end of the attempt is what must be recorded
            return seen
        if not is_to_be_asked(health, seen, job.id):
            return seen
        return replace(seen, answers=is_answering(job, tools, kept))

    def _record_fault(self, job: claims.Claimed, problem: Exception, kept: Exchanges, tools: Tools) -> None:
        if is_database_away(problem):
            self._outage.failed(problem)
        elif not isinstance(problem, (TransientError, PermanentError)):
            logger.exception("job.unexpected")
        seen = self._judge(job, replace(read_sign(problem), release=job.version), kept, tools)
        if job.is_recollect:
            self._record_not_recollected(job, problem, seen, kept)
            return
        if seen.sign is Sign.BARRED:  # the target pauses; every job for it waits, and goes on when someone resumes it
            waiting = Snooze(datetime.now(UTC), {"code": Reason.TARGET_AUTH, "detail": str(problem), "until": None})
            self._record_wait(job, waiting, {}, seen, kept)
            return
        decision = decide_retry(
            problem,
            tried=job.tried,
            allowed=job_transitions.BUDGET,
            now=datetime.now(UTC),
            random=random.random,
            policy=self._policy,
        )
        ended = (attempt_end.retried if isinstance(decision, RetryAt) else attempt_end.failed)(**asdict(decision))

        def write(connection: Connection, now: datetime) -> bool:
            return job_transitions.end(connection, job.id, job.number, ended, now=now, exchanges=kept.as_json())

        if self._close(job, seen, write):
            event, told = "job.failed", {}
            if isinstance(decision, RetryAt):
                event, told = "job.retrying", {"at": decision.at.isoformat()}
            logger.warning(event, reason=decision.reason, error=decision.error, status=decision.http_status, **told)

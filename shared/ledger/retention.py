"""Deletes what is too old to be of use, a few hundred rows at a time, so that nobody ever waits for it.

A payload is needed to try again and to decide again: it goes after thirty days, or ninety while a job of its delivery has
not succeeded; so does what an attempt sent and got. Deliveries, finished jobs and their attempts go after ninety days.
Nothing that still waits is ever deleted, nor a push that the commit log has not taken over yet (`to_log`).
"""

from __future__ import annotations

from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Engine

from shared.domain.ids import first_id
from shared.domain.job_states import JobState
from shared.infra import logs
from shared.ledger.tables import attempts, deliveries, jobs, kept_answers, payloads

KEEP_PAYLOADS = timedelta(days=30)
KEEP_DELIVERIES = timedelta(days=90)
KEEP_ANSWERS = timedelta(hours=24)
STEP = 200  # rows of each kind that one step looks at
PAUSE = timedelta(minutes=1)  # between two rounds, once there is nothing left to do

_AT_WORK = (JobState.QUEUED, JobState.RUNNING, JobState.RETRYING)
_SETTLED = (JobState.SUCCEEDED, JobState.CANCELLED)

logger = logs.get(__name__)


class Retention:
    """Remembers how far it has looked, so that rows that must stay are not looked at again and again."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._payload_after = self._delivery_after = 0
        self._job_after = ""
        self._attempt_after: datetime | None = None
        self._next_at: datetime | None = None

    def step(self, now: datetime) -> int:
        """At most one short transaction of deletions; returns how many rows went."""
        if self._next_at is not None and now < self._next_at:
            return 0
        with self._engine.begin() as connection:
            counts = (
                self._jobs(connection, now),
                self._deliveries(connection, now),
                self._payloads(connection, now),
                self._exchanges(connection, now),
            )
            connection.execute(kept_answers.delete().where(kept_answers.c.created_at < now - KEEP_ANSWERS))
        if not any(looked for looked, _ in counts):
            self._payload_after = self._delivery_after = 0
            self._job_after = ""
            self._attempt_after = None
            self._next_at = now + PAUSE
        if gone := sum(deleted for _, deleted in counts):
            logger.info("retention.deleted", rows=gone)
        return gone

    def _jobs(self, connection: Connection, now: datetime) -> tuple[int, int]:
        """Finished jobs; their attempts go with them."""
        oldest = connection.execute(
            sa.select(jobs.c.id)
            .where(jobs.c.id > self._job_after, jobs.c.id < first_id(now - KEEP_DELIVERIES))
            .order_by(jobs.c.id)
            .limit(STEP)
        )
        ids = list(oldest.scalars())
        if not ids:
            return 0, 0
        self._job_after = ids[-1]
        statement = jobs.delete().where(
            jobs.c.id.in_(ids), jobs.c.status.not_in(_AT_WORK), jobs.c.updated_at < now - KEEP_DELIVERIES
        )
        return len(ids), connection.execute(statement).rowcount

    def _deliveries(self, connection: Connection, now: datetime) -> tuple[int, int]:
        """Deliveries whose jobs are all gone; their payloads go with them."""
        seqs = self._old(connection, self._delivery_after, now - KEEP_DELIVERIES)
        if not seqs:
            return 0, 0
        self._delivery_after = seqs[-1]
        in_use = sa.exists().where(jobs.c.delivery_seq == deliveries.c.seq)
        statement = deliveries.delete().where(deliveries.c.seq.in_(seqs), ~deliveries.c.to_log, ~in_use)
        return len(seqs), connection.execute(statement).rowcount

    def _payloads(self, connection: Connection, now: datetime) -> tuple[int, int]:
        seqs = self._old(connection, self._payload_after, now - KEEP_PAYLOADS)
        if not seqs:
            return 0, 0
        self._payload_after = seqs[-1]
        kept = sa.exists().where(
            deliveries.c.seq == payloads.c.delivery_seq,
            sa.or_(
                deliveries.c.to_log,
                sa.exists().where(jobs.c.delivery_seq == deliveries.c.seq, jobs.c.status.not_in(_SETTLED)),
            ),
        )
        statement = payloads.delete().where(payloads.c.delivery_seq.in_(seqs), ~kept)
        return len(seqs), connection.execute(statement).rowcount

    def _exchanges(self, connection: Connection, now: datetime) -> tuple[int, int]:
        """Attempts stay, what they sent and got goes."""
        ended = attempts.c.finished_at
        statement = sa.select(ended).where(ended < now - KEEP_PAYLOADS).order_by(ended).limit(STEP)
        if self._attempt_after is not None:
            statement = statement.where(ended > self._attempt_after)
        moments = list(connection.execute(statement).scalars())
        if not moments:
            return 0, 0
        self._attempt_after = moments[-1]
        is_settled = sa.exists().where(jobs.c.id == attempts.c.job_id, jobs.c.status.in_(_SETTLED))
        emptied = (
            attempts.update()
            .where(ended >= moments[0], ended <= moments[-1], attempts.c.exchanges.is_not(None), is_settled)
            .values(exchanges=None)
        )
        return len(moments), connection.execute(emptied).rowcount

    @staticmethod
    def _old(connection: Connection, after: int, before: datetime) -> list[int]:
        statement = (
            sa.select(deliveries.c.seq, deliveries.c.created_at)
            .where(deliveries.c.seq > after)
            .order_by(deliveries.c.seq)
            .limit(STEP)
        )
        return [row.seq for row in connection.execute(statement) if row.created_at < before]

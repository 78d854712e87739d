"""Finishes acts upon many jobs whose process died in the middle, as the operator who began them was promised."""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy.engine import Engine

from shared.infra import logs
from shared.infra.database import reading
from shared.ledger import bulk_acts

TRY_AGAIN = timedelta(minutes=5)
STEPS = 4  # transactions in one sweep: the jobs that are due must not wait for more

logger = logs.get(__name__)


class BulkFinisher:
    """`step` goes on with one act. Several sweepers share the work: each transaction takes the next jobs."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._seq: int | None = None  # the act that is being finished: its lease is renewed by each step

    def step(self, now: datetime) -> None:
        if self._seq is None:
            with reading(self._engine).begin() as connection:
                self._seq = bulk_acts.find_abandoned(connection, now=now)
        for _ in range(STEPS):
            if self._seq is None:
                return
            try:
                with self._engine.begin() as connection:
                    act = bulk_acts.step(connection, self._seq, now=now)
            except Exception:
                self._put_off(now)
                raise
            if act is None or act.state == "done":
                self._seq = None
            if act is not None and act.state == "done":
                logger.info("bulk_act.finished", replay=act.seq, verb=act.verb, matched=act.matched, handled=act.handled)

    def _put_off(self, now: datetime) -> None:
        """Another act is not to wait behind one that a fault keeps from going on."""
        seq, self._seq = self._seq, None
        if seq is not None:
            with self._engine.begin() as connection:
                bulk_acts.put_off(connection, seq, until=now + TRY_AGAIN)

"""Ends a job whose stored row or payload cannot be read, instead of trying it for ever."""

from __future__ import annotations

from datetime import UTC, datetime

from sqlalchemy.engine import Engine
from sqlalchemy.exc import DataError, SQLAlchemyError

from shared.domain.reasons import Reason
from shared.infra import logs
from shared.infra.outages import Outage, words_of
from shared.ledger.rescue import give_up

# What reading a value of another shape raises. Anything else may pass: a machine without memory or files, say.
_FAULTS = (LookupError, TypeError, ValueError, AttributeError, DataError)

logger = logs.get(__name__)


def end_if_unreadable(engine: Engine, job_id: str, problem: Exception, outage: Outage) -> None:
    """What kept a job from being claimed or recorded. If that is the job itself it is failed now; a replay tries it again."""
    outage.failed(problem)
    if not isinstance(problem, _FAULTS):
        return
    error = f"the stored job cannot be read or recorded: {type(problem).__name__}: {words_of(problem)}".replace("\0", "\ufffd")
    try:
        with engine.begin() as connection:
            is_ended = give_up(connection, job_id, error=error, now=datetime.now(UTC))
    except SQLAlchemyError as also:
        outage.failed(also)
        return
    if is_ended:
        logger.error("job.failed", reason=Reason.MISSED_WEBHOOK, error=error)

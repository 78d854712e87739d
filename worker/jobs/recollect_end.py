"""How a recollect ends, and when one begins by itself, as what is to be written. Takes a connection, never commits."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from sqlalchemy.engine import Connection

from shared.domain import attempt_end
from shared.domain.job_warnings import JobWarning, WarningCode, from_json
from shared.domain.push import Repository
from shared.errors import PermanentError, TransientError
from shared.ledger import claims, job_transitions, partial_jobs
from shared.ledger.contributions import contribute
from shared.targets.http_exchanges import Exchanges
from worker.jobs.attempt import Done

Write = Callable[[Connection, datetime], bool]  # False when the job is no longer ours


def completing(job: claims.Claimed, done: Done, kept: Exchanges) -> Write:
    """The release lists what was found, or did so before."""
    ended = attempt_end.recollected(
        before=str(job.before_status),
        found=done.range,
        warnings=None if done.sent is None else (*_of_deploy(job), *done.warnings),
        http_status=done.sent.http_status if done.sent else None,
    )

    def write(connection: Connection, now: datetime) -> bool:
        is_ours = job_transitions.end(connection, job.id, job.number, ended, now=now, exchanges=kept.as_json())
        if is_ours and done.own is not None:
            contribute(connection, done.own, now)
        return is_ours

    return write


def _of_deploy(job: claims.Claimed) -> list[JobWarning]:
    """Warnings that stay, since no deploy is sent."""
    return [warning for warning in from_json(job.warnings) if warning.code == WarningCode.DEPLOY_REFUSED]


def giving_up(job: claims.Claimed, problem: Exception, kept: Exchanges) -> Write:
    """Release, list and state are as they were; the attempt says why."""
    is_known = isinstance(problem, (TransientError, PermanentError))
    ended = attempt_end.not_recollected(
        before=str(job.before_status),
        error=str(problem) if is_known else f"unexpected {type(problem).__name__}; the log has its trace",
        http_status=problem.status if isinstance(problem, (TransientError, PermanentError)) else None,
    )
    return lambda connection, now: job_transitions.end(connection, job.id, job.number, ended, now=now, exchanges=kept.as_json())


def begun_if_reached(job: claims.Claimed, found: Mapping[str, Any] | None, write: Write) -> Write:
    """`write`, and then: a release of which only the payload's commits were known is completed at once if the push of its
    branch was logged meanwhile."""
    if found is None or not found["partial"] or found["source"] not in ("payload", "none"):
        return write

    def both(connection: Connection, now: datetime) -> bool:
        is_ours = write(connection, now)
        if is_ours:
            repository = Repository(job.provider, job.repository, id=job.repository_id)
            partial_jobs.complete_if_reached(connection, repository, job.sha, now=now)
        return is_ours

    return both

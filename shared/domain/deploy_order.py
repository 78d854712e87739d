"""Whether a deploy came after a later one. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from shared.domain.job_warnings import JobWarning, WarningCode
from shared.domain.times import rfc3339


@dataclass(frozen=True, slots=True, kw_only=True)
class Deploy:
    version: str
    environment: str | None
    projects: frozenset[str]
    finished_at: datetime


def warn_of_later(mine: Deploy, others: Iterable[Deploy]) -> JobWarning | None:
    """The warning that one of the others, to the same environment of the same project, is later than this one."""
    later = [
        other
        for other in others
        if other.finished_at > mine.finished_at and other.environment == mine.environment and other.projects & mine.projects
    ]
    if not later:
        return None
    newest = max(later, key=lambda other: other.finished_at)
    detail = (
        f"{mine.environment} has had {newest.version} since {rfc3339(newest.finished_at)}, later than this version's deploy"
    )
    return JobWarning(WarningCode.LATER_DEPLOY, detail)

"""Warning codes: how the release at the target differs from what was asked, though it was accepted. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from shared.domain.names import clean

_LONGEST_DETAIL = 300


class WarningCode(StrEnum):
    """Stable: programs outside match on these words. `webhook/ops/advice.py` says what a person can do about each."""

    NOT_FINALIZED = "not_finalized"
    REF_DIFFERS = "ref_differs"
    PROJECT_DROPPED = "project_dropped"
    COMMITS_NOT_KEPT = "commits_not_kept"
    COMMITS_REPLACED = "commits_replaced"
    RELEASE_ARCHIVED = "release_archived"
    DEPLOY_REFUSED = "deploy_refused"
    LATER_DEPLOY = "later_deploy"
    EMAILS_LEFT_OUT = "emails_left_out"
    REPOSITORY_UNLINKED = "repository_unlinked"
    REFS_REFUSED = "refs_refused"


@dataclass(frozen=True, slots=True)
class JobWarning:
    """`detail`: one sentence for operators; what it quotes of an answer is bounded and masked by whoever makes it."""

    code: WarningCode
    detail: str


def as_json(warnings: Iterable[JobWarning]) -> list[dict[str, str]] | None:
    """For the job's row: one of each code, the first one; None without any."""
    found: dict[str, str] = {}
    for warning in warnings:
        found.setdefault(warning.code.value, clean(warning.detail[:_LONGEST_DETAIL]))
    return [{"code": code, "detail": detail} for code, detail in found.items()] or None


def from_json(stored: Iterable[dict[str, str]] | None) -> tuple[JobWarning, ...]:
    """The warnings of a stored job. A code that a newer version wrote is left out."""
    known = set(WarningCode)
    return tuple(JobWarning(WarningCode(one["code"]), one["detail"]) for one in stored or () if one["code"] in known)

"""What a comparison of a forge's tags with our releases found, as values."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from shared.domain.push import Repository
from shared.domain.rules import Work


@dataclass(frozen=True, slots=True, kw_only=True)
class ReconcileEntry:
    """A tag at one target. `why` is None when its release is there, else the job's reason or state, or missed_webhook.

    `work` is None for a tag that makes no release: then `why` is the reason code and `detail` says it in a sentence.
    `at` is the time of the tag's commit, `tagged_at` the tagger's date, else that time, where they are known.
    """

    tag: str
    sha: str
    work: Work | None
    why: str | None
    detail: str | None = None
    at: datetime | None = None
    tagged_at: datetime | None = None

    @property
    def is_missing(self) -> bool:
        return self.work is not None and self.why is not None

    def as_json(self) -> dict[str, Any]:
        if self.work is None:
            return {"tag": self.tag, "reason": self.why, "detail": self.detail}
        return {"tag": self.tag, "sha": self.sha, "target": self.work.target, "version": self.work.version, "why": self.why}


@dataclass(frozen=True, slots=True)
class ReconcileReport:
    """`tags`: how many the forge has; `entries`: of those compared, oldest first."""

    repository: Repository
    tags: int
    entries: tuple[ReconcileEntry, ...]

    @property
    def missing(self) -> tuple[ReconcileEntry, ...]:
        """Releases that a target lacks."""
        return tuple(entry for entry in self.entries if entry.is_missing)

    @property
    def refused(self) -> tuple[ReconcileEntry, ...]:
        """Tags that no rule wants, or whose version Sentry refuses."""
        return tuple(entry for entry in self.entries if entry.work is None)


def oldest_first(entries: Iterable[ReconcileEntry]) -> list[ReconcileEntry]:
    """Entries in the order of versions, sorted by the times of their commits, so that each comes after the release that it
    counts from. One whose time is not known stays behind the version before it."""
    last = datetime.min.replace(tzinfo=UTC)
    timed: list[tuple[datetime, ReconcileEntry]] = []
    for entry in entries:
        last = entry.at or last
        timed.append((last, entry))
    return [entry for _, entry in sorted(timed, key=lambda pair: pair[0])]

"""Plans the release of one push: the exact body to send, within the endpoint's limits, and how complete it is. Pure.

Limits: docs/releases-endpoint.md 1.5 and 1.6, as Sentry's serializers state them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from shared.push import Commit, Push

MAX_REPOSITORY = 64  # of a commit; a ref's may have 200
MAX_REF_REPOSITORY = 200
MAX_AUTHOR_NAME = 128
MAX_AUTHOR_EMAIL = 75
MAX_PATH = 510
MAX_REF = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Range:
    """Which commits the release lists and how sure we are (contract section 4, `range`)."""

    source: str  # payload, none (log and api come with the commit log)
    base: str | None
    head: str
    commits: tuple[Commit, ...]  # newest first
    partial: str | None
    is_proven: bool

    def as_json(self) -> dict[str, Any]:
        return {
            "source": self.source,
            "base": self.base,
            "head": self.head,
            "commits": len(self.commits),
            "with_files": sum(commit.files is not None for commit in self.commits),
            "partial": self.partial,
            "proven": self.is_proven,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class ReleasePlan:
    """`body` is what is POSTed; `range` is None when the rule wants no commits or leaves them to Sentry."""

    version: str
    body: Mapping[str, Any]
    range: Range | None
    environment: str | None


def plan_release(push: Push, *, version: str, spec: Mapping[str, Any], received_at: datetime) -> ReleasePlan:
    """`spec` is what the rule asked for: {"projects", "set_commits", "finalize", "environment"}."""
    assert push.sha is not None  # noqa: S101  (no job is made of a push without a commit)
    body: dict[str, Any] = {
        "version": version,
        "projects": list(spec["projects"]),
        "ref": push.ref.name if push.ref.kind == "tag" and len(push.ref.name) <= MAX_REF else push.sha,
    }
    if spec["finalize"]:
        # When the push arrived, not when the commit was written: a tag may be set on an old commit.
        body["dateReleased"] = received_at.isoformat()
    found: Range | None = None
    if spec["set_commits"] == "refs":
        body["refs"] = [_ref(push)]
    elif spec["set_commits"] in ("auto", "payload"):
        found = payload_range(push)
        if found.commits:
            body["commits"] = plan_commits(found.commits, push.repository.full_name)
    return ReleasePlan(version=version, body=body, range=found, environment=spec["environment"])


def payload_range(push: Push) -> Range:
    """The commits that the payload itself lists. A tag push never carries its range: at most the tagged commit."""
    assert push.sha is not None  # noqa: S101
    listed = {commit.id: commit for commit in push.commits}
    if push.head_commit is not None and push.head_commit.id == push.sha:
        listed.setdefault(push.sha, push.head_commit)
    newest_first = list(listed.values())[::-1]
    newest_first.sort(key=lambda commit: commit.id != push.sha)  # the head leads, whatever order the payload has
    is_whole = push.ref.kind == "branch" and not push.is_created and push.commits_total == len(push.commits)
    return Range(
        source="payload" if listed else "none",
        base=None if push.is_created or push.ref.kind == "tag" else push.before,
        head=push.sha,
        commits=tuple(newest_first),
        partial=None if is_whole else _why_partial(push, len(listed)),
        is_proven=is_whole and push.is_forced is False,
    )


def _why_partial(push: Push, listed: int) -> str:
    if push.ref.kind == "tag":
        return f"a tag push carries no commit range; {listed} of its commits known"
    if push.is_created:
        return "the branch is new: the payload does not say where it left the others"
    total = "more" if push.commits_total is None else str(push.commits_total)
    return f"the payload lists {listed} of {total} commits"


def plan_commits(commits: Sequence[Commit], full_name: str) -> list[dict[str, Any]]:
    """Commits in the endpoint's words, newest first, every field within its limit."""
    repository = fit_repository(full_name)
    return [_commit(commit, repository, moment) for commit, moment in zip(commits, _moments(commits), strict=True)]


def _moments(commits: Sequence[Commit]) -> list[datetime | None]:
    """Sentry sorts by time, newest first, and takes the first as the head: so none may be newer than the one before it.

    A missing time beside a present one makes Sentry fail, so it takes its neighbour's; none at all stay away.
    """
    known = [commit.timestamp for commit in commits if commit.timestamp is not None]
    if not known:
        return [None] * len(commits)
    moments: list[datetime | None] = []
    latest = commits[0].timestamp or max(known)
    for commit in commits:
        latest = min(latest, commit.timestamp or latest)
        moments.append(latest)
    return moments


def _commit(commit: Commit, repository: str, moment: datetime | None) -> dict[str, Any]:
    planned: dict[str, Any] = {"id": commit.id, "repository": repository, "message": commit.message}
    name, email = (commit.author_name or "").strip(), (commit.author_email or "").strip()
    if name:
        planned["author_name"] = name[:MAX_AUTHOR_NAME]
    if is_email(email):
        planned["author_email"] = email
    if moment is not None:
        planned["timestamp"] = moment.isoformat()
    if commit.files is not None:
        planned["patch_set"] = [
            {"path": change.path, "type": change.type}
            for change in commit.files
            if change.path.strip() and len(change.path) <= MAX_PATH
        ]
    return planned


def is_email(text: str) -> bool:
    """Good enough to be an address: Sentry's clients failed on junk, and a cut address belongs to someone else."""
    local, at, domain = text.rpartition("@")
    return bool(at and local and domain) and len(text) <= MAX_AUTHOR_EMAIL and not any(char.isspace() for char in text)


def fit_repository(full_name: str) -> str:
    """The name itself, or as many of its last segments as fit: Sentry refuses a commit's repository of over 64 characters."""
    while len(full_name) > MAX_REPOSITORY and "/" in full_name:
        full_name = full_name.partition("/")[2]
    return full_name[:MAX_REPOSITORY]


def _ref(push: Push) -> dict[str, Any]:
    ref: dict[str, Any] = {"repository": push.repository.full_name[:MAX_REF_REPOSITORY], "commit": push.sha}
    if push.ref.kind == "branch" and not push.is_created:
        ref["previousCommit"] = push.before
    return ref

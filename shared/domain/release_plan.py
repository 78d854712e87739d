"""Plans the release of one push: the exact body to send, within the endpoint's limits, and how complete it is. Pure.

Limits: rows 1.5 and 1.6 of docs/releases-endpoint.md, as Sentry's serializers state them.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Any

from shared.domain.push import Commit, Push, is_listed

MAX_REPOSITORY = 64  # of a commit; a ref's may have 200
MAX_REF_REPOSITORY = 200
MAX_AUTHOR_NAME = 128
MAX_AUTHOR_EMAIL = 75
MAX_PATH = 510
MAX_REF = 200
_DIGITS = 20  # of a long name's digest: 80 bits, so that nobody finds a second name for it

_EMAIL = re.compile(r"\S+@[^\s@]+")


@dataclass(frozen=True, slots=True)
class Listed:
    """What one repository puts into the release: its name at the target, its commits newest first."""

    repository: str
    commits: Sequence[Commit]


def plan_release(
    push: Push, *, version: str, spec: Mapping[str, Any], received_at: datetime, listed: Sequence[Listed]
) -> dict[str, Any]:
    """The body to POST. `spec` is what the rule asked for: {"projects", "set_commits", "finalize", ...}.

    `listed` is the union over all repositories of this release, since a POST replaces the whole list.
    """
    assert push.sha is not None  # noqa: S101  (no job is made of a push without a commit)
    body: dict[str, Any] = {
        "version": version,
        "projects": list(spec["projects"]),
        "ref": push.ref.name if push.ref.kind == "tag" and len(push.ref.name) <= MAX_REF else push.sha,
    }
    # When the push arrived, not when the commit was written: a tag may be set on an old commit. Null says that it is not
    # released; where nothing is said, a server may take the present time.
    body["dateReleased"] = received_at.isoformat() if spec["finalize"] else None
    if spec["set_commits"] == "refs":
        if not push.is_peeled:
            return body  # a tag object's id is no commit's
        body["refs"] = [_ref(push, listed[0].repository if listed else push.repository.full_name)]
    else:
        # Sentry fails on a list where some commits have a time and others none, over all repositories.
        is_timed = any(commit.timestamp is not None for part in listed for commit in part.commits)
        untimed = received_at if is_timed else None
        if planned := [commit for part in listed for commit in plan_commits(part.commits, part.repository, untimed)]:
            body["commits"] = planned
    return body


def plan_commits(commits: Sequence[Commit], repository: str, untimed: datetime | None = None) -> list[dict[str, Any]]:
    """Commits in the endpoint's words, newest first, every field within its limit. `untimed` is for a list without times.

    Those that Sentry leaves out itself are not sent.
    """
    name = fit_repository(repository)
    author = cache(_author)  # a few of them wrote all
    return [
        _commit(commit, name, author(commit.author_name, commit.author_email), moment)
        for commit, moment in zip(commits, _moments(commits, untimed), strict=True)
        if is_listed(commit)
    ]


def _moments(commits: Sequence[Commit], untimed: datetime | None) -> list[datetime | None]:
    """Each commit's own time. One that is newer than the head has the head's: Sentry sorts by time, newest first, and takes
    the first as the head. An unknown time is its neighbour's, the newer one's first; where none is known, all are `untimed`."""
    known = [commit.timestamp for commit in commits if commit.timestamp is not None]
    if not known:
        return [untimed] * len(commits)
    head = latest = commits[0].timestamp or max(known)
    moments: list[datetime | None] = []
    for commit in commits:
        latest = min(commit.timestamp or latest, head)
        moments.append(latest)
    return moments


def _author(name: str | None, email: str | None) -> dict[str, str]:
    author = {}
    if name and (name := name.strip()):
        author["author_name"] = name[:MAX_AUTHOR_NAME]
    if email and is_email(email := email.strip()):
        author["author_email"] = email
    return author


def _commit(commit: Commit, repository: str, author: Mapping[str, str], moment: datetime | None) -> dict[str, Any]:
    planned: dict[str, Any] = {"id": commit.id, "repository": repository, "message": commit.message, **author}
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
    return len(text) <= MAX_AUTHOR_EMAIL and _EMAIL.fullmatch(text) is not None


def fit_repository(full_name: str, most: int = MAX_REPOSITORY) -> str:
    """The name itself, or where it has over `most` characters a digest of it and as much of its end as fits: Sentry refuses a
    commit's repository of over 64 characters.

    No two names are shortened alike, nor to a name that a repository can have: none holds `~` (`is_full_name`).
    """
    if len(full_name) <= most:
        return full_name
    digest = hashlib.sha256(full_name.encode("utf-8", "surrogatepass")).hexdigest()[:_DIGITS]
    return f"~{digest}/{full_name[len(digest) + 2 - most :].lstrip('/')}"


def _ref(push: Push, repository: str) -> dict[str, Any]:
    ref: dict[str, Any] = {"repository": fit_repository(repository, MAX_REF_REPOSITORY), "commit": push.sha}
    if push.ref.kind == "branch" and not push.is_created:
        ref["previousCommit"] = push.before
    return ref

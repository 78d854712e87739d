"""Signed sample webhooks in GitHub's and GitLab's shapes, for the demo and the tests. All names are made up."""

from __future__ import annotations

import hashlib
import hmac
import json
import uuid
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

ZERO = "0" * 40
_EPOCH = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Sample:
    """One request: where it goes, what it carries, and a sentence for people."""

    provider: str
    headers: Mapping[str, str]
    body: bytes
    says: str = ""


def sha(text: str) -> str:
    """A made-up commit id that stays the same from run to run."""
    return hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest()


@dataclass(frozen=True, slots=True)
class SampleCommit:
    message: str
    added: Sequence[str] = ()
    modified: Sequence[str] = ()
    removed: Sequence[str] = ()
    author: tuple[str, str] = ("Ada Okafor", "ada@acme.test")
    minute: int = 0
    id: str = field(default="")

    def as_json(self) -> dict[str, Any]:
        """The keys that GitHub's and GitLab's push payloads share."""
        return {
            "id": self.id or sha(self.message),
            "message": self.message,
            "timestamp": (_EPOCH + timedelta(minutes=self.minute)).isoformat(),
            "author": {"name": self.author[0], "email": self.author[1]},
            "added": list(self.added),
            "modified": list(self.modified),
            "removed": list(self.removed),
        }


def repository_number(name: str) -> int:
    """The number of a made-up repository: another one for each name."""
    return 1 + zlib.crc32(name.lower().encode())


def github_push(
    *,
    repository: str,
    ref: str,
    commits: Sequence[SampleCommit] = (),
    head: SampleCommit | None = None,
    before: str = ZERO,
    after: str | None = None,
    default_branch: str = "main",
    number: int | None = None,
) -> dict[str, Any]:
    """A push payload; give `after` a tag object's id for an annotated tag. `number`: the repository's, else one of its own."""
    newest = head or (commits[-1] if commits else None)
    head_json = newest.as_json() if newest else None
    end = after or (head_json["id"] if head_json else ZERO)
    return {
        "ref": ref,
        "before": before,
        "after": end,
        "created": before == ZERO,
        "deleted": end == ZERO,
        "forced": False,
        "base_ref": None,
        "compare": f"https://github.com/{repository}/compare/{before[:12]}...{end[:12]}",
        "commits": [{**commit.as_json(), "distinct": True} for commit in commits],
        "head_commit": head_json,
        "repository": {
            "id": number or repository_number(repository),
            "name": repository.rpartition("/")[2],
            "full_name": repository,
            "private": True,
            "default_branch": default_branch,
            "master_branch": default_branch,
        },
        "pusher": {"name": "ada", "email": "ada@acme.test"},
        "sender": {"login": "ada", "id": 7},
    }


def gitlab_push(
    *,
    repository: str,
    ref: str,
    commits: Sequence[SampleCommit] = (),
    before: str = ZERO,
    after: str | None = None,
    checkout_sha: str | None = None,
    total: int | None = None,
    default_branch: str = "main",
    number: int | None = None,
) -> dict[str, Any]:
    """A push or tag push payload; `checkout_sha` is the tagged commit, `after` may be a tag object's id."""
    kind = "tag_push" if ref.startswith("refs/tags/") else "push"
    commit = checkout_sha or (commits[-1].as_json()["id"] if commits else None)
    return {
        "object_kind": kind,
        "event_name": kind,
        "before": before,
        "after": after or commit or ZERO,
        "ref": ref,
        "checkout_sha": commit,
        "message": None,
        "user_id": 7,
        "user_name": "Ada Okafor",
        "project_id": number or repository_number(repository),
        "project": {
            "id": number or repository_number(repository),
            "name": repository.rpartition("/")[2],
            "path_with_namespace": repository,
            "default_branch": default_branch,
            "web_url": f"https://gitlab.com/{repository}",
        },
        "commits": [{**item.as_json(), "title": item.message.partition("\n")[0]} for item in commits],
        "total_commits_count": len(commits) if total is None else total,
    }


def sign_github(payload: object, secret: str, *, event: str = "push", delivery_id: str | None = None, says: str = "") -> Sample:
    body = _as_bytes(payload)
    return Sample(
        "github",
        {
            "Content-Type": "application/json",
            "X-GitHub-Event": event,
            "X-GitHub-Delivery": delivery_id or str(uuid.uuid4()),
            "X-Hub-Signature-256": "sha256=" + hmac.new(secret.encode(), body, hashlib.sha256).hexdigest(),
        },
        body,
        says,
    )


def sign_gitlab(
    payload: object, secret: str, *, event: str = "Push Hook", delivery_id: str | None = None, says: str = ""
) -> Sample:
    return Sample(
        "gitlab",
        {
            "Content-Type": "application/json",
            "X-Gitlab-Event": event,
            "Idempotency-Key": delivery_id or str(uuid.uuid4()),
            "X-Gitlab-Token": secret,
        },
        _as_bytes(payload),
        says,
    )


def _as_bytes(payload: object) -> bytes:
    """What is bytes already is a body that somebody else made."""
    return payload if isinstance(payload, bytes) else json.dumps(payload).encode()

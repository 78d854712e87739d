"""Signed GitHub pushes, ready to be sent: each with a delivery id, a commit and so a job of its own."""

from __future__ import annotations

import hashlib
import hmac
import itertools
import json
import uuid
from collections.abc import Iterator
from typing import Any

from webhook.local.sample_webhooks import Sample, SampleCommit, github_push, sha, sign_github

SECRET = "secret-of-the-benchmark"
PATH = "/webhooks/github"
_BRANCH = "refs/heads/main"
_HEAD = sha("the commit that each push replaces by its own")
_LINKS = 45  # of the links that GitHub puts into `repository` and `sender`


def body(*, commits: int = 5, size: int = 8_006, ref: str = _BRANCH) -> bytes:
    """A push of so many commits as GitHub sends it: `size` bytes, or as few as that many commits need."""
    listed = [
        SampleCommit(
            message=f"Change number {n}\n\nWith a body of a usual length that says why the change was made.",
            added=(f"src/module_{n}.py",),
            modified=(f"tests/test_{n}.py", "CHANGELOG.md"),
            author=(f"Author {n % 7}", f"author{n % 7}@acme.test"),
            minute=n,
            id=sha(f"commit {n}") if n < commits - 1 else _HEAD,
        )
        for n in range(commits)
    ]
    push: dict[str, Any] = github_push(repository="acme/shop", ref=ref, commits=listed, before=sha("before"))
    links = {f"some_{n}_url": f"https://api.example.com/repos/acme/shop/some{{/{n}}}" for n in range(_LINKS)}
    push["repository"] |= links if size > 7_000 else {}
    push["padding"] = ""
    push["padding"] = "x" * max(0, size - len(json.dumps(push, separators=(",", ":"))))
    return json.dumps(push, separators=(",", ":")).encode()


def pushes(count: int, *, repositories: int = 50, heads: dict[str, str] | None = None) -> Iterator[Sample]:
    """Signed pushes of five commits to main, as `count` chains would come: each begins where the one before it ended.

    `heads`: where each repository's last call ended, for the next one to go on there.
    """
    heads = {} if heads is None else heads
    start = uuid.uuid4().hex[:12]
    for number in range(count):
        name = f"acme/shop-{number % repositories}"
        listed = [
            SampleCommit(
                message=f"Change {start} {number}.{n}\n\nWith a body of a usual length that says why the change was made.",
                added=(f"src/module_{n}.py",),
                modified=(f"tests/test_{n}.py",),
                author=(f"Author {n}", f"author{n}@acme.test"),
                minute=n,
            )
            for n in range(5)
        ]
        before = heads.get(name, sha(f"root of {name}"))
        heads[name] = sha(listed[-1].message)
        push = github_push(repository=name, ref=_BRANCH, commits=listed, before=before)
        yield sign_github(push, SECRET, delivery_id=f"{start}-{number}")


def requests(template: bytes, *, path: str = PATH, host: str = "127.0.0.1") -> Iterator[bytes]:
    """Whole HTTP requests without end, no two alike in delivery id and head commit."""
    start = uuid.uuid4().hex[:12]
    for number in itertools.count():
        content = template.replace(_HEAD.encode(), sha(f"{start} {number}").encode())
        signature = hmac.new(SECRET.encode(), content, hashlib.sha256).hexdigest()
        yield (
            f"POST {path} HTTP/1.1\r\nHost: {host}\r\nContent-Type: application/json\r\nX-GitHub-Event: push\r\n"
            f"X-GitHub-Delivery: {start}-{number}\r\nX-Hub-Signature-256: sha256={signature}\r\n"
            f"Content-Length: {len(content)}\r\n\r\n"
        ).encode() + content

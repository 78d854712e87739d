"""Deliveries as the receiver hands them to the ledger."""

from __future__ import annotations

import itertools
from typing import Any

from shared.domain.push import Push, Ref, Repository
from shared.domain.rules import Decision, Work
from shared.domain.webhook import Hook
from shared.ledger.deliveries import Arrival
from tests.builders import NOW

ids = itertools.count(1)


def arrival(sha: str | None = None, delivery_id: str | None = None, **fields: Any) -> Arrival:
    sha = sha or f"{next(ids):040x}"
    push = Push(repository=Repository("github", "acme/shop"), ref=Ref("refs/tags/v1"), before="0" * 40, after=sha, sha=sha)
    work = Work(rule="r", target="t", version="v1", projects=("app",), set_commits="auto", finalize=True, environment=None)
    hook = Hook(event="push", delivery_id=delivery_id or f"d-{next(ids)}", content=push)
    return Arrival(
        **{
            "provider": "github",
            "hook": hook,
            "decision": Decision(work=(work,)),
            "headers": {"x-github-event": "push", "x-hub-signature-256": "s3cret"},
            "body": b"\x00\xff{}",
            "now": NOW,
            **fields,
        }
    )

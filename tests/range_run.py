"""Ranges for tests: histories announced by webhooks, and the range that a worker collects of them."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Literal

import httpx2
from sqlalchemy.engine import Engine

from shared.config.settings import ForgeSettings
from shared.domain.commit_range import Range
from shared.domain.push import Push
from shared.domain.rules import CommitRules
from shared.infra.http_client import Deadline
from tests.forge import Built, Forge
from tests.pushes_stored import NOW, store
from webhook.local.sample_webhooks import SampleCommit, github_push, gitlab_push, sign_github, sign_gitlab
from worker.commits.forge_pool import Forges
from worker.commits.history_writer import log_all
from worker.commits.range_finder import Collector

Kind = Literal["github", "gitlab"]


NAME = "acme/shop"


def collect(ledger: Engine, http: httpx2.Client, forge: Forge | None, push: Push, rules: CommitRules | None = None) -> Range:
    opened = None
    if forge is not None:
        opened = Forges(http, {forge.kind: ForgeSettings(forge.url, "token", is_named=True)}).open(push.repository)
    assert log_all(ledger, provider=push.repository.provider, repository=NAME, seconds=30)
    return Collector(ledger, push, opened, rules or CommitRules(), Deadline(30), datetime.now(UTC)).collect()


def ids(found: Range) -> set[str]:
    assert len({commit.id for commit in found.commits}) == len(found.commits)
    return {commit.id for commit in found.commits}


def listed(built: Built, before: str | None, after: str) -> list[SampleCommit]:
    """What a payload lists of before..after: oldest first. None for `before`: the push made the branch."""
    number = {sha: place for place, sha in enumerate(built.parents)}
    head = built.sha[after]
    between = sorted(built.range(built.sha[before], head) if before else built.reachable(head), key=lambda sha: number[sha])
    return [SampleCommit(f"message of {sha[:7]}", added=[f"{sha[:7]}.py"], id=sha) for sha in between]


def announce(ledger: Engine, kind: Kind, name: str, sha: str, at: datetime = NOW) -> None:
    commit = SampleCommit("tagged", id=sha)
    if kind == "github":
        store(ledger, sign_github(github_push(repository=NAME, ref=f"refs/tags/{name}", head=commit), "s"), at)
    else:
        store(ledger, sign_gitlab(gitlab_push(repository=NAME, ref=f"refs/tags/{name}", commits=[commit]), "s"), at)

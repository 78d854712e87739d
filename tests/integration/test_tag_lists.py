"""The forge's list of tags: its replicas lag, what was announced lately goes before, and one list serves many releases."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx2
import pytest
from sqlalchemy.engine import Engine

from shared.config.settings import ForgeSettings
from shared.domain.push import Repository, tag_push
from shared.domain.rules import CommitRules
from shared.infra.http_client import Deadline
from tests.forge import Built, Forge, History, git
from tests.pushes_stored import store
from tests.range_run import NAME, announce, collect, ids
from webhook.local.sample_webhooks import github_push, gitlab_push, sign_github, sign_gitlab
from worker.commits.forge_pool import Forges
from worker.commits.history_writer import log_all
from worker.commits.range_finder import Collector


@pytest.fixture
def built(tmp_path: Path) -> Built:
    made = History()
    made.line("c", 6)
    for number, label in enumerate(("c1", "c3", "c6")):
        made.tag(f"v1.{number}", label, depth=number % 2)
    return made.build(tmp_path / "repository")


@pytest.fixture(params=["github", "gitlab"])
def forge(request: pytest.FixtureRequest, built: Built) -> Iterator[Forge]:
    with Forge(request.param) as server:
        server.add(NAME, built.path)
        yield server


def test_a_tag_that_was_announced_and_is_not_listed_yet_counts(
    ledger: Engine, http: httpx2.Client, forge: Forge, built: Built
) -> None:
    git(built.path, "tag", "-d", "v1.1")
    push = tag_push(Repository(forge.kind, NAME, "main"), "v1.2", built.sha["v1.2"])
    assert collect(ledger, http, forge, push).base == built.sha["c1"]
    announce(ledger, forge.kind, "v1.1", built.sha["c3"], datetime.now(UTC))
    found = collect(ledger, http, forge, push)
    assert (found.base_tag, ids(found), found.tags) == ("v1.1", {built.sha[f"c{number}"] for number in (4, 5, 6)}, "forge")


def test_a_tag_whose_deletion_was_announced_and_that_is_still_listed_does_not_count(
    ledger: Engine, http: httpx2.Client, forge: Forge, built: Built
) -> None:
    gone: dict[str, Any] = {"repository": NAME, "ref": "refs/tags/v1.1", "before": built.sha["c3"]}
    if forge.kind == "github":
        store(ledger, sign_github(github_push(**gone), "s"), datetime.now(UTC))
    else:
        store(ledger, sign_gitlab(gitlab_push(**gone), "s", event="Tag Push Hook"), datetime.now(UTC))
    found = collect(ledger, http, forge, tag_push(Repository(forge.kind, NAME, "main"), "v1.2", built.sha["v1.2"]))
    assert found.base_tag == "v1.0"


def test_a_list_that_was_read_after_the_push_is_not_read_again(
    ledger: Engine, http: httpx2.Client, forge: Forge, built: Built
) -> None:
    repository, now = Repository(forge.kind, NAME, "main"), datetime.now(UTC)
    forges = Forges(http, {forge.kind: ForgeSettings(forge.url, "token", is_named=True)})
    assert log_all(ledger, provider=forge.kind, repository=NAME, seconds=30)

    def calls(tag: str, pushed_at: datetime) -> int:
        forge.forget()
        opened = forges.open(repository)
        assert opened is not None
        push, rules = tag_push(repository, tag, built.sha[tag]), CommitRules(file_calls=0)
        Collector(ledger, push, opened, rules, Deadline(30), now, forges.tag_lists, pushed_at).collect()
        opened.forget_pages()
        return forge.total_calls

    first = calls("v1.2", now - timedelta(minutes=1))
    assert calls("v1.2", now - timedelta(minutes=1)) < first
    assert calls("v1.2", now) >= first - 1, "pushed since: what was pushed with it may be new, too"

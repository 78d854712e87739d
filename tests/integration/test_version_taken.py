"""Two tags of one repository that map to one version: the one that made the release first keeps it."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import httpx2
import pytest
import sqlalchemy as sa
from sqlalchemy.engine import Engine

from shared.domain.rules import Rules, decide
from shared.domain.webhook import Incoming
from shared.forges import PROVIDERS
from shared.ledger import deliveries
from shared.ledger.tables import deliveries as delivery_table
from tests.target import Target
from tests.worker_run import row, rules, runner
from webhook.local.sample_webhooks import ZERO, SampleCommit, github_push, sha, sign_github
from worker.commits.history_writer import log_all


def send(
    engine: Engine, in_force: Rules, tag: str, commit: str, *, is_deleted: bool = False, repository: str = "acme/shop"
) -> Any:
    """The id of the tag's job; None for a deletion."""
    end: dict[str, Any] = {"before": sha(commit), "after": ZERO} if is_deleted else {"head": SampleCommit(commit)}
    sample = sign_github(github_push(repository=repository, ref=f"refs/tags/{tag}", **end), "x")
    headers = {key.lower(): value for key, value in sample.headers.items()}
    hook = PROVIDERS["github"].read(Incoming(headers, sample.body))
    arrival = deliveries.Arrival("github", hook, decide(hook.content, in_force), headers, sample.body, datetime.now(UTC))  # type: ignore[arg-type]
    with engine.begin() as connection:
        return next(iter(deliveries.accept(connection, arrival).jobs), None)


def versions(target: Target) -> list[Any]:
    return [body["ref"] for path, body, _ in target.posts if path.endswith("/releases/")]


@pytest.mark.parametrize("mode", ["auto", "skip"])
def test_the_second_of_two_tags_fails_and_names_the_first(
    engine: Engine, http: httpx2.Client, target: Target, mode: str
) -> None:
    in_force = rules(target.url, set_commits=mode)
    first, second = send(engine, in_force, "rel/1.0", "one"), send(engine, in_force, "rel-1.0", "two")
    run = runner(engine, http, in_force)
    run.run([first, second])
    lost = row(engine, second)
    assert (row(engine, first).status, lost.status, lost.reason) == ("succeeded", "failed", "version_taken")
    assert "'rel/1.0'" in lost.error
    assert versions(target) == ["rel/1.0"], "what the first lists stays"
    moved = send(engine, in_force, "rel/1.0", "three")
    run.run([moved])
    assert row(engine, moved).status == "succeeded", "it is its own"
    elsewhere = send(engine, in_force, "rel-1.0", "four", repository="acme/other")
    run.run([elsewhere])
    assert row(engine, elsewhere).status == "succeeded", "repositories share a version"


@pytest.mark.parametrize("has_expired", [False, True])
def test_a_tag_that_was_deleted_holds_no_version(
    engine: Engine, http: httpx2.Client, target: Target, has_expired: bool
) -> None:
    in_force = rules(target.url)
    run = runner(engine, http, in_force)
    run.run([send(engine, in_force, "rel/1.0", "one")])
    send(engine, in_force, "rel/1.0", "one", is_deleted=True)
    if has_expired:
        log_all(engine, provider="github", repository="acme/shop", seconds=9)
        with engine.begin() as connection:
            connection.execute(sa.delete(delivery_table))
    second = send(engine, in_force, "rel-1.0", "two")
    run.run([second])
    assert row(engine, second).status == "succeeded"
    again = send(engine, in_force, "rel/1.0", "three")
    run.run([again])
    assert row(engine, again).reason == "version_taken", "now it is the other's"
    assert versions(target) == ["rel/1.0", "rel-1.0"]


def test_tags_of_one_commit_share_a_version_that_names_the_commit(engine: Engine, http: httpx2.Client, target: Target) -> None:
    in_force = rules(target.url, release="{name}@{sha:12}")
    ids = [send(engine, in_force, tag, "one") for tag in ("v1.0.0", "stable")]
    runner(engine, http, in_force).run(ids)
    assert [row(engine, job_id).status for job_id in ids] == ["succeeded", "succeeded"]

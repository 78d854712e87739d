"""Two tags of one repository that map to one version: the one that made the release first keeps it."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import httpx2
import pytest
import sqlalchemy as sa
from sqlalchemy.engine import Engine

from shared.domain.job_states import Trigger
from shared.domain.push import Repository, tag_push
from shared.domain.rules import Rules, Source, decide
from shared.domain.webhook import Incoming
from shared.forges import PROVIDERS
from shared.ledger import deliveries
from shared.ledger.tables import contributions
from shared.ledger.tables import deliveries as delivery_table
from shared.ledger.tables import jobs as job_table
from tests.target import Target
from tests.worker_run import row, rules, runner
from webhook.local.sample_webhooks import ZERO, SampleCommit, github_push, sha, sign_github
from worker.commits.history_writer import log_all


def send(
    engine: Engine,
    in_force: Rules,
    tag: str,
    commit: str,
    *,
    is_deleted: bool = False,
    repository: str = "acme/shop",
    is_branch: bool = False,
) -> Any:
    """The id of the tag's job; None for a deletion."""
    end: dict[str, Any] = {"before": sha(commit), "after": ZERO} if is_deleted else {"head": SampleCommit(commit)}
    sample = sign_github(github_push(repository=repository, ref=f"refs/{'heads' if is_branch else 'tags'}/{tag}", **end), "x")
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


ACME = Source(name="acme", provider="github", secret_env="ACME_SECRET", repositories=("acme/*",))
EVIL = Source(name="evil", provider="github", secret_env="EVIL_SECRET", repositories=("evil/*",))


def sourced(target: Target, *sources: Source, **changes: Any) -> Rules:
    return replace(rules(target.url, refs=("refs/*",), **changes), sources=sources)


def end(engine: Engine, run: Any, job: str) -> tuple[str, str | None]:
    run.run([job])
    found = row(engine, job)
    return found.status, found.reason if found.status == "failed" else None


@pytest.mark.parametrize("mode", ["auto", "skip"])
def test_a_version_belongs_to_the_source_that_made_it_first(
    engine: Engine, http: httpx2.Client, target: Target, mode: str
) -> None:
    in_force = sourced(target, ACME, EVIL, set_commits=mode)
    run = runner(engine, http, in_force)
    assert end(engine, run, send(engine, in_force, "v1", "one")) == ("succeeded", None)
    evil = send(engine, in_force, "v1", "two", repository="evil/shop")
    assert end(engine, run, evil) == ("failed", "version_taken")
    assert "github:acme/shop" in row(engine, evil).error
    nobody = send(engine, in_force, "v1", "three", repository="other/shop")
    assert end(engine, run, nobody) == ("failed", "version_taken"), "repositories without a source are one too"
    branch = send(engine, in_force, "main", "one", repository="evil/shop", is_branch=True)
    with engine.begin() as connection:
        connection.execute(job_table.update().where(job_table.c.id == branch).values(version="v1"))
    assert end(engine, run, branch) == ("failed", "version_taken"), "of a branch as well"
    assert len(versions(target)) == 1, "what the first lists stays"
    assert end(engine, run, send(engine, in_force, "v1", "four", repository="acme/api")) == ("succeeded", None)
    assert end(engine, run, send(engine, in_force, "v2", "five", repository="other/one")) == ("succeeded", None)
    assert end(engine, run, send(engine, in_force, "v2", "six", repository="another/two")) == ("succeeded", None)
    assert end(engine, run, send(engine, in_force, "v2", "seven")) == ("failed", "version_taken")


def test_two_sources_share_a_version_where_the_rules_of_both_say_so(
    engine: Engine, http: httpx2.Client, target: Target
) -> None:
    shared, alone = sourced(target, ACME, EVIL, shared=True), sourced(target, ACME, EVIL)
    for first, second, is_shared in ((shared, shared, True), (shared, alone, False), (alone, shared, False)):
        version = f"v{is_shared}{first.rules[0].shared}"
        made = send(engine, first, version, f"one {version}")
        assert end(engine, runner(engine, http, first), made) == ("succeeded", None)
        joins = send(engine, second, version, f"two {version}", repository="evil/shop")
        wanted = ("succeeded", None) if is_shared else ("failed", "version_taken")
        assert end(engine, runner(engine, http, second), joins) == wanted, (first, second)


def test_what_is_older_than_sources_belongs_to_the_source_that_claims_its_repository_now(
    engine: Engine, http: httpx2.Client, target: Target
) -> None:
    plain, bound = sourced(target), sourced(target, ACME, EVIL)
    assert end(engine, runner(engine, http, plain), send(engine, plain, "v1", "one")) == ("succeeded", None)
    run = runner(engine, http, bound)
    with engine.begin() as connection:
        connection.execute(contributions.update().values(source=None, is_shared=None))
    assert end(engine, run, send(engine, bound, "v1", "two", repository="evil/shop")) == ("failed", "version_taken")
    assert end(engine, run, send(engine, bound, "v1", "three", repository="acme/api")) == ("succeeded", None)
    with engine.begin() as connection:
        found = Repository("github", "evil/shop")
        job, _ = deliveries.adopt(
            connection, tag_push(found, "v1", sha("four")), decide(tag_push(found, "v1", sha("four")), bound).work[0],
            Trigger.RECONCILE, datetime.now(UTC), bound.sources,
        )  # fmt: skip
    assert end(engine, run, job) == ("failed", "version_taken"), "so do jobs that no webhook made"


def test_without_sources_repositories_of_all_secrets_share_their_versions(
    engine: Engine, http: httpx2.Client, target: Target
) -> None:
    in_force = sourced(target)
    run = runner(engine, http, in_force)
    for repository in ("acme/shop", "evil/shop", "other/one"):
        assert end(engine, run, send(engine, in_force, "v1", repository, repository=repository)) == ("succeeded", None)

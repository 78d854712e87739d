"""Without an API: a tag's release that went out before the push of its branch arrived is completed when it does."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx2
import pytest
from sqlalchemy.engine import Engine

from shared.domain.rules import Rules
from shared.targets.repository_names import RepositoryNames
from tests.forge import Built
from tests.forge_events import push, tag
from tests.forge_run import TAGS, accept_sample, age, five_tags, sent
from tests.forge_run import runner as asking
from tests.target import Target
from tests.worker_run import history, row, rules
from webhook.local.environment import free_port
from worker.commits.forge_pool import Forges
from worker.commits.history_writer import log_all
from worker.commits.release_commits import Gatherer
from worker.jobs.attempt import Tools
from worker.jobs.runner import Runner
from worker.sweeper.history_keeper import LogKeeper


@pytest.fixture
def built(tmp_path: Path) -> Built:
    return five_tags(tmp_path)


def runner(engine: Engine, http: httpx2.Client, in_force: Rules) -> Runner:
    """With every API switched off."""
    gatherer = Gatherer(engine, Forges(http, {}), RepositoryNames(), in_force.commits)
    return Runner(engine, Tools(client=http, rules=in_force, token=lambda _: "s3cret", gatherer=gatherer))


def listed(target: Target, built: Built) -> list[list[str]]:
    labels = {sha: label for label, sha in built.sha.items() if label not in TAGS}
    return [[labels[commit["id"]] for commit in body["commits"]] for body in sent(target)]


@pytest.mark.parametrize("provider", ["github", "gitlab"])
def test_a_repository_whose_branches_were_never_announced(
    engine: Engine, http: httpx2.Client, target: Target, built: Built, provider: str
) -> None:
    in_force = rules(target.url)
    run = runner(engine, http, in_force)
    accept_sample(engine, in_force, tag(provider, TAGS[0], built.sha["c0-3"]))
    (job_id,) = accept_sample(engine, in_force, tag(provider, TAGS[1], built.sha["c1-3"]))
    run.run([job_id])
    assert (row(engine, job_id).status, row(engine, job_id).reason) == ("succeeded", "commits_partial")
    accept_sample(engine, in_force, push(provider, built, "c0-3", "c1-1", "c1-2", "c1-3"))
    LogKeeper(engine, in_force).step(datetime.now(UTC))
    assert row(engine, job_id).status == "queued"
    run.run([job_id])
    assert listed(target, built) == [["c1-3"], ["c1-3", "c1-2", "c1-1"]]
    stored = row(engine, job_id)
    assert (stored.status, stored.reason, stored.range["partial"], stored.range["base_tag"]) == (
        "succeeded",
        None,
        None,
        TAGS[0],
    )
    assert [attempt.trigger for attempt in history(engine, job_id)] == ["webhook", "recollect"]


def test_a_push_that_is_logged_while_the_release_is_on_its_way(
    engine: Engine, http: httpx2.Client, target: Target, built: Built, monkeypatch: pytest.MonkeyPatch
) -> None:
    in_force = rules(target.url)
    run = runner(engine, http, in_force)
    accept_sample(engine, in_force, tag("github", TAGS[0], built.sha["c0-3"]))
    (job_id,) = accept_sample(engine, in_force, tag("github", TAGS[1], built.sha["c1-3"]))
    usual = target._answer

    def answer(*given: object) -> object:
        if not target.posts:
            accept_sample(engine, in_force, push("github", built, "c0-3", "c1-1", "c1-2", "c1-3"))
            assert log_all(engine, provider="github", repository="acme/shop", seconds=5)
        return usual(*given)  # type: ignore[arg-type]

    monkeypatch.setattr(target, "_answer", answer)
    run.run([job_id])
    assert row(engine, job_id).status == "queued", "it looks again when it ends"
    run.run([job_id])
    assert listed(target, built) == [["c1-3"], ["c1-3", "c1-2", "c1-1"]]
    assert (row(engine, job_id).status, row(engine, job_id).range["partial"]) == ("succeeded", None)


def test_a_release_that_waits_for_a_forge_is_completed_by_the_push(
    engine: Engine, http: httpx2.Client, target: Target, built: Built
) -> None:
    in_force = rules(target.url)
    run = asking(engine, http, in_force, f"http://127.0.0.1:{free_port()}")
    accept_sample(engine, in_force, tag("github", TAGS[0], built.sha["c0-3"]))
    (job_id,) = accept_sample(engine, in_force, tag("github", TAGS[1], built.sha["c1-3"]))
    age(engine, job_id, timedelta(seconds=59))
    run.run([job_id])
    assert row(engine, job_id).next_attempt_at > datetime.now(UTC) + timedelta(minutes=4)
    accept_sample(engine, in_force, push("github", built, "c0-3", "c1-1", "c1-2", "c1-3"))
    assert log_all(engine, provider="github", repository="acme/shop", seconds=5)
    assert row(engine, job_id).next_attempt_at <= datetime.now(UTC)
    run.run([job_id])
    assert listed(target, built)[-1] == ["c1-3", "c1-2", "c1-1"]


def test_only_the_release_on_the_head_of_the_push_and_only_a_partial_one_of_the_last_day(
    engine: Engine, http: httpx2.Client, target: Target, built: Built
) -> None:
    in_force = rules(target.url)
    run = runner(engine, http, in_force)
    jobs = {
        name: accept_sample(engine, in_force, tag("github", name, built.sha[label]), at)[0]
        for name, label, at in (
            ("v1", "c1-3", None),
            ("v2", "c1-2", None),
            ("v3", "c1-3", datetime.now(UTC) - timedelta(days=2)),
        )
    }
    run.run(list(jobs.values()))
    accept_sample(engine, in_force, push("github", built, "c0-3", "c1-1", "c1-2", "c1-3"))
    assert log_all(engine, provider="github", repository="acme/shop", seconds=5)
    assert {name: row(engine, job_id).status for name, job_id in jobs.items()} == {
        "v1": "queued",
        "v2": "succeeded",
        "v3": "succeeded",
    }

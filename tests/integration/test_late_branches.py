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
from tests.worker_run import row, rules
from webhook.local.environment import free_port
from worker.commits.forge_pool import Forges
from worker.commits.history_writer import log_all
from worker.commits.release_commits import Gatherer
from worker.jobs.attempt import Tools
from worker.jobs.runner import Runner


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

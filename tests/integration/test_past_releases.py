"""Releases that reconcile and backfill make: dated as their tags, the oldest first, without deploys unless someone asks."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx2
import pytest
import sqlalchemy as sa
from sqlalchemy.engine import Engine

from shared.config.settings import ForgeSettings
from shared.domain.push import Repository
from shared.domain.rules import ReconcileRules
from shared.ledger import recollects, reconcile_runs
from shared.ledger.tables import jobs as job_table
from shared.reconcile import Comparer
from tests.builders import settings
from tests.forge import Forge, History
from tests.forge_run import accept, runner
from tests.target import Target
from tests.worker_run import rules
from worker.sweeper.reconcile_schedule import Timer
from worker.sweeper.reconciler import Comparing


def moment(seconds: int) -> datetime:
    return datetime.fromtimestamp(1_700_000_000 + seconds, UTC)


@pytest.fixture(params=["github", "gitlab"])
def forge(request: pytest.FixtureRequest, tmp_path: Path) -> Any:
    """Tags in another order than their versions, and one whose tagger's clock was wrong."""
    made = History()
    made.line("c", 5)
    for tag, label, seconds in (("v1.0.0", "c1", 0), ("v2.0.0", "c3", 200), ("v1.1.0", "c2", 300), ("v2.1.0", "c4", 100)):
        made.tag(tag, label, depth=1, at=1_700_000_000 + seconds)
    made.tag("v2.2.0", "c5")
    built = made.build(tmp_path / "repository")
    with Forge(request.param) as running:
        running.add("acme/shop", built.path)
        yield running


def compare(engine: Engine, http: httpx2.Client, forge: Forge, target: Target, **wanted: Any) -> list[str]:
    """What the sweeper makes of it: the ids of the jobs, in the order in which they are due."""
    in_force = rules(target.url, environment="production")
    known = settings(forges={forge.kind: ForgeSettings(forge.url, "t", is_named=True)}, environ={"T": "s3cret"})
    comparing = Comparing(engine, Comparer(known, in_force, engine, http), Timer(engine, ReconcileRules()), threading.Event())
    with engine.begin() as connection:
        shop = Repository(forge.kind, "acme/shop")
        assert reconcile_runs.want(connection, shop, most_tags=None, creates=True, now=datetime.now(UTC), **wanted)
    assert comparing.step()
    with engine.begin() as connection:
        return list(connection.execute(sa.select(job_table.c.id).order_by(job_table.c.id)).scalars())


def test_they_are_dated_as_their_tags_and_made_in_that_order(
    engine: Engine, http: httpx2.Client, forge: Forge, target: Target
) -> None:
    made = compare(engine, http, forge, target)
    run = runner(engine, http, rules(target.url), forge.url, provider=forge.kind)
    run.run(made)
    released = {body["version"]: datetime.fromisoformat(body["dateReleased"]) for _, body, _ in target.posts}
    commit_time = released.pop("v2.2.0")
    assert list(released)[:1] == ["v1.0.0"]
    assert released == {
        "v1.0.0": moment(0),
        "v2.0.0": moment(300),  # it counts from 1.1.0, which was tagged later
        "v1.1.0": moment(300),
        "v2.1.0": moment(300),
    }
    assert commit_time < datetime.now(UTC) - timedelta(days=300)
    assert target.deploys == []
    first = {body["version"]: body for _, body, _ in target.posts}
    for job_id in made:
        with engine.begin() as connection:
            connection.execute(sa.text("DELETE FROM contributions"))
            recollects.begin(connection, job_id, now=datetime.now(UTC))
    run.run(made)
    assert len(target.posts) == 10
    assert {body["version"]: body for _, body, _ in target.posts} == first, "a recollect sends the same date"


def test_they_record_deploys_when_someone_asks(engine: Engine, http: httpx2.Client, forge: Forge, target: Target) -> None:
    made = compare(engine, http, forge, target, with_deploys=True)
    runner(engine, http, rules(target.url, environment="production"), forge.url, provider=forge.kind).run(made)
    assert [deploy["dateFinished"] for deploy in target.deploys] == [
        body["dateReleased"] for path, body, _ in target.posts if path.endswith("/releases/")
    ]


def test_a_job_that_named_the_tags_object_is_found_by_the_tags_name(
    engine: Engine, http: httpx2.Client, forge: Forge, target: Target
) -> None:
    """Some webhooks name no commit; the forge says then which one it is."""
    if forge.kind == "gitlab":
        pytest.skip("GitLab names it always")
    in_force = rules(target.url)
    job_id = accept(engine, in_force, "v1.0.0", "d" * 40)
    before = len(compare(engine, http, forge, target))
    assert before == 5, "its job waits: no second one is made"
    runner(engine, http, in_force, forge.url).run([job_id])
    head = forge.repositories["acme/shop"].resolve("v1.0.0")
    with engine.begin() as connection:
        found = {"source": "api", "base": None, "head": head, "commits": 1, "with_files": 0, "partial": None, "proven": True}
        done = {"status": "succeeded", "range": found, "release_url": "http://x/", "reason": None}
        connection.execute(job_table.update().where(job_table.c.id == job_id).values(done))
    assert len(compare(engine, http, forge, target, is_by_timer=True)) == 5

"""A forge that cannot be reached: who is waited for, and what is sent without it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx2
import pytest
from sqlalchemy.engine import Engine

from tests.forge import Built, Forge
from tests.forge_events import push, tag
from tests.forge_run import TAGS, accept, accept_all, accept_sample, age, five_tags, runner, sent
from tests.target import Target
from tests.worker_run import make_due, row, rules
from webhook.local.environment import free_port


@pytest.fixture
def built(tmp_path: Path) -> Built:
    return five_tags(tmp_path)


@pytest.fixture
def forge(built: Built) -> Iterator[Forge]:
    with Forge("github") as made:
        made.add("acme/shop", built.path)
        yield made


def test_a_configured_forge_that_is_down_is_waited_for_and_then_the_release_goes_out(
    engine: Engine, http: httpx2.Client, target: Target, forge: Forge, built: Built
) -> None:
    in_force = rules(target.url)
    run = runner(engine, http, in_force, forge.url)
    job_id = accept(engine, in_force, TAGS[1], built.sha[TAGS[1]])
    forge.stop()
    run.run([job_id])
    assert (row(engine, job_id).waiting["code"], target.posts) == ("forge_unreachable", [])
    age(engine, job_id, timedelta(minutes=16))
    make_due(engine, job_id)
    run.run([job_id])
    assert (row(engine, job_id).waiting["code"], len(target.posts)) == ("commits_partial", 1)
    forge.start()
    make_due(engine, job_id)
    run.run([job_id])
    assert (row(engine, job_id).status, row(engine, job_id).range["commits"]) == ("succeeded", 3)


@pytest.mark.parametrize(
    ("provider", "pushed", "status", "waits_for"),
    [
        ("github", (("c1-1",), ("c1-2", "c1-3")), "succeeded", None),
        ("gitlab", (("c1-1", "c1-2", "c1-3"),), "succeeded", None),
        # GitLab does not say whether the second push took the first one back.
        ("gitlab", (("c1-1",), ("c1-2", "c1-3")), "retrying", "forge_unreachable"),
    ],
)
def test_a_forge_that_is_down_keeps_no_release_waiting_whose_range_the_log_has(
    engine: Engine,
    http: httpx2.Client,
    target: Target,
    built: Built,
    provider: str,
    pushed: tuple[tuple[str, ...], ...],
    status: str,
    waits_for: str | None,
) -> None:
    in_force = rules(target.url)
    accept_sample(engine, in_force, tag(provider, TAGS[0], built.sha["c0-3"]))
    before = "c0-3"
    for labels in pushed:
        accept_sample(engine, in_force, push(provider, built, before, *labels))
        before = labels[-1]
    job_id = accept_sample(engine, in_force, tag(provider, TAGS[1], built.sha["c1-3"]))[0]
    url = f"http://127.0.0.1:{free_port()}"
    runner(engine, http, in_force, url, provider=provider, token=None).run([job_id])
    stored = row(engine, job_id)
    assert (stored.status, stored.waiting and stored.waiting["code"]) == (status, waits_for)
    if waits_for == "forge_unreachable":
        assert sent(target) == []
        return
    assert (stored.range["source"], stored.range["commits"]) == ("log", 3)
    assert (stored.range["proven"], stored.range["tags"]) == (False, "announced"), "a forge may know tags that none announced"
    assert [[commit["id"] for commit in body["commits"]] for body in sent(target)] == [
        [built.sha[label] for label in ("c1-3", "c1-2", "c1-1")]
    ]


def test_a_forge_that_nobody_named_is_asked_once_never_waited_for_and_completes_the_releases_later(
    engine: Engine, http: httpx2.Client, target: Target, forge: Forge, built: Built
) -> None:
    in_force = rules(target.url)
    run = runner(engine, http, in_force, f"http://127.0.0.1:{free_port()}", is_named=False, token=None)
    ids = accept_all(engine, in_force, built)
    run.run(ids)
    assert len(target.posts) == len(ids)
    waits = [row(engine, job_id).next_attempt_at - datetime.now(UTC) for job_id in ids]
    assert [row(engine, job_id).waiting["code"] for job_id in ids] == ["commits_partial"] * len(ids)
    assert all(timedelta(minutes=4) < wait <= timedelta(minutes=5) for wait in waits)
    for job_id in ids:
        make_due(engine, job_id)
    runner(engine, http, in_force, forge.url, is_named=False, token=None).run(ids)
    assert [(row(engine, job_id).status, row(engine, job_id).range["commits"]) for job_id in ids] == [("succeeded", 3)] * len(
        ids
    )


def test_a_forge_that_stays_down_is_asked_about_a_release_for_a_day(
    engine: Engine, http: httpx2.Client, target: Target, built: Built
) -> None:
    in_force = rules(target.url)
    job_id = accept(engine, in_force, TAGS[1], built.sha[TAGS[1]])
    for hours, status in ((0.1, "retrying"), (23, "retrying"), (25, "succeeded")):
        age(engine, job_id, timedelta(hours=hours))
        make_due(engine, job_id)
        runner(engine, http, in_force, f"http://127.0.0.1:{free_port()}").run([job_id])
        assert row(engine, job_id).status == status
    assert row(engine, job_id).reason == "commits_partial"

"""No release is late because of its commits, and a tag's webhook that comes before its branch's waits for it."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx2
import pytest
from sqlalchemy.engine import Engine

from shared.domain.rules import CommitRules, Rules
from tests.forge import Built, Forge, reply, used_up
from tests.forge.histories import long
from tests.forge_events import push, tag
from tests.forge_run import TAGS, accept, accept_sample, age, five_tags, runner, sent
from tests.target import Target
from tests.worker_run import make_due, row, rules


@pytest.fixture
def built(tmp_path: Path) -> Built:
    return five_tags(tmp_path)


@pytest.fixture
def forge(built: Built) -> Iterator[Forge]:
    with Forge("github") as made:
        made.add("acme/shop", built.path)
        yield made


def waits(url: str, **seconds: float) -> Rules:
    given = rules(url)
    return Rules(given.rules, given.targets, CommitRules(wait=timedelta(**seconds), file_calls=0))


def test_a_forge_that_limits_or_is_down_keeps_no_release_for_more_than_a_minute(
    engine: Engine, http: httpx2.Client, target: Target, forge: Forge, built: Built
) -> None:
    in_force = rules(target.url)
    run = runner(engine, http, in_force, forge.url)
    limited = accept(engine, in_force, TAGS[1], built.sha[TAGS[1]])
    forge.hold(600, used_up)
    run.run([limited])
    assert (row(engine, limited).waiting["code"], len(target.posts)) == ("commits_partial", 1), "it would take ten minutes"
    forge.hold(0, used_up)
    forge.stop()
    down = accept(engine, in_force, TAGS[2], built.sha[TAGS[2]])
    run = runner(engine, http, in_force, forge.url, token="other")
    run.run([down])
    assert (row(engine, down).waiting["code"], len(target.posts)) == ("forge_unreachable", 1)
    age(engine, down, timedelta(seconds=45))
    make_due(engine, down)
    run.run([down])
    assert (row(engine, down).waiting["code"], len(target.posts)) == ("commits_partial", 2)
    forge.start()
    make_due(engine, down)
    run.run([down])
    assert (row(engine, down).status, row(engine, down).range["commits"]) == ("succeeded", 3)


def test_a_slow_forge_ends_with_the_wait_and_the_release_is_completed(
    engine: Engine, http: httpx2.Client, target: Target, forge: Forge, built: Built
) -> None:
    in_force = waits(target.url, seconds=3)
    run = runner(engine, http, in_force, forge.url)
    job_id = accept(engine, in_force, TAGS[1], built.sha[TAGS[1]])
    forge.delay = 5
    began = time.monotonic()
    run.run([job_id])
    assert time.monotonic() - began < 4.5
    assert (row(engine, job_id).waiting["code"], len(target.posts)) == ("commits_partial", 1)
    forge.delay = 0
    make_due(engine, job_id)
    run.run([job_id])
    assert (row(engine, job_id).status, row(engine, job_id).range["commits"]) == ("succeeded", 3)


def test_a_forge_with_long_lists_is_asked_on_at_once_after_the_release_went_out(
    engine: Engine, http: httpx2.Client, target: Target, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = long(900).build(tmp_path / "long")
    with Forge("gitlab") as forge:
        forge.add("acme/shop", made.path)
        in_force = waits(target.url, seconds=1)
        run = runner(engine, http, in_force, forge.url, provider="gitlab")
        (job_id,) = accept_sample(engine, in_force, tag("gitlab", "v2.0.0", made.sha["v2.0.0"]))
        forge.rule = lambda _: reply({}, 503) if forge.total_calls > 5 else None
        with monkeypatch.context() as short:  # as if the time was used up then
            short.setattr("worker.commits.release_commits._USED_UP", 1_000.0)
            run.run([job_id])
        stored = row(engine, job_id)
        assert (stored.waiting["code"], stored.range["commits"], len(target.posts)) == ("commits_partial", 1, 1)
        assert stored.next_attempt_at - datetime.now(UTC) <= timedelta(seconds=1)
        forge.rule = lambda _: None
        forge.forget()
        make_due(engine, job_id)
        run.run([job_id])
        assert (row(engine, job_id).status, row(engine, job_id).range["commits"]) == ("succeeded", 900)
        assert forge.total_calls < 12, "the tags, a merge base and ten pages, of which some were kept"


def test_a_commit_that_the_forge_does_not_know_yet_is_waited_for_no_longer_than_that(
    engine: Engine, http: httpx2.Client, target: Target, forge: Forge
) -> None:
    in_force = waits(target.url, seconds=60)
    run = runner(engine, http, in_force, forge.url)
    job_id = accept(engine, in_force, "v9.0.0", "d" * 40)
    run.run([job_id])
    assert (row(engine, job_id).waiting["code"], target.posts) == ("forge_behind", [])
    age(engine, job_id, timedelta(seconds=50))
    make_due(engine, job_id)
    run.run([job_id])
    assert (row(engine, job_id).waiting["code"], len(target.posts)) == ("commits_partial", 1)


@pytest.mark.parametrize("provider", ["github", "gitlab"])
def test_what_the_received_pushes_give_whole_is_sent_without_a_call(
    engine: Engine, http: httpx2.Client, target: Target, built: Built, provider: str
) -> None:
    in_force = rules(target.url)
    with Forge("github" if provider == "github" else "gitlab") as forge:
        forge.add("acme/shop", built.path)
        accept_sample(engine, in_force, tag(provider, TAGS[0], built.sha["c0-3"]))
        accept_sample(engine, in_force, push(provider, built, "c0-3", "c1-1", "c1-2", "c1-3"))
        job_id = accept_sample(engine, in_force, tag(provider, TAGS[1], built.sha["c1-3"]))[0]
        runner(engine, http, in_force, forge.url, provider=provider).run([job_id])
        assert forge.total_calls == 0
    found = row(engine, job_id).range
    assert (found["commits"], found["tags"], found["proven"], found["partial"]) == (3, "announced", False, None)
    assert found["base_tag"] == TAGS[0]


@pytest.mark.parametrize("provider", ["github", "gitlab"])
def test_without_an_api_a_tag_waits_for_the_push_of_its_branch(
    engine: Engine, http: httpx2.Client, target: Target, built: Built, provider: str
) -> None:
    in_force = rules(target.url)
    run = runner(engine, http, in_force, "http://127.0.0.1:9", provider=provider, is_named=False, token=None)
    accept_sample(engine, in_force, push(provider, built, "c0-1", "c0-2", "c0-3"))
    accept_sample(engine, in_force, tag(provider, TAGS[0], built.sha["c0-3"]))
    job_id = accept_sample(engine, in_force, tag(provider, TAGS[1], built.sha["c1-3"]))[0]
    run.run([job_id])
    assert (row(engine, job_id).waiting["code"], target.posts) == ("push_behind", [])
    accept_sample(engine, in_force, push(provider, built, "c0-3", "c1-1", "c1-2", "c1-3"))
    make_due(engine, job_id)
    run.run([job_id])
    assert [commit["id"] for commit in sent(target)[0]["commits"]] == [built.sha[f"c1-{number}"] for number in (3, 2, 1)]


def test_a_branch_that_never_comes_is_waited_for_half_a_minute(
    engine: Engine, http: httpx2.Client, target: Target, built: Built
) -> None:
    in_force = rules(target.url)
    run = runner(engine, http, in_force, "http://127.0.0.1:9", is_named=False, token=None)
    accept_sample(engine, in_force, push("github", built, "c0-1", "c0-2", "c0-3"))
    job_id = accept(engine, in_force, TAGS[1], built.sha[TAGS[1]])
    run.run([job_id])
    assert row(engine, job_id).waiting["code"] == "push_behind"
    age(engine, job_id, timedelta(seconds=31))
    make_due(engine, job_id)
    run.run([job_id])
    assert (row(engine, job_id).waiting["code"], len(target.posts)) == ("commits_partial", 1)

"""A forge that limits, fails or lags: jobs wait without attempts, nobody calls in vain, and a release is never held back."""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx2
import pytest
from sqlalchemy.engine import Engine

from shared.domain.rules import CommitRules, Rules
from shared.ledger import contributions, job_transitions
from shared.ledger.queries.stats import oldest_waiting_at
from shared.ledger.tables import attempts
from tests.forge import Built, Forge, History, Reply, git, reply, used_up
from tests.forge.replies import Request
from tests.forge_run import TAGS, accept, accept_all, accept_sample, age, end_holds, five_tags, patient, runner, sent
from tests.target import Scripted, Target
from tests.worker_run import history, make_due, row, rules
from webhook.local.sample_webhooks import github_push, sign_github


@pytest.fixture
def built(tmp_path: Path) -> Built:
    return five_tags(tmp_path)


@pytest.fixture
def forge(built: Built) -> Iterator[Forge]:
    with Forge("github") as made:
        made.add("acme/shop", built.path)
        yield made


def test_a_rate_limit_is_met_once_and_holds_every_job_of_the_token_until_it_ends(
    engine: Engine, http: httpx2.Client, target: Target, forge: Forge, built: Built
) -> None:
    in_force = rules(target.url)
    run = runner(engine, http, in_force, forge.url)
    ids = accept_all(engine, in_force, built)
    forge.hold(3, used_up)
    run.run(ids)
    assert forge.total_calls == 1, "one call a token until then"
    for job_id in ids:
        stored = row(engine, job_id)
        assert (stored.status, stored.waiting["code"]) == ("retrying", "rate_limited")
        assert stored.next_attempt_at > datetime.now(UTC)
        assert [item.outcome for item in history(engine, job_id)] == ["held"]
    assert target.posts == []
    run.run(ids)
    assert forge.total_calls == 1, "no hot loop"
    time.sleep(max(0.0, (row(engine, ids[0]).next_attempt_at - datetime.now(UTC)).total_seconds()) + 0.1)
    run.run(ids)
    assert [row(engine, job_id).status for job_id in ids] == ["succeeded"] * len(ids)
    assert [row(engine, job_id).range["commits"] for job_id in ids] == [3] * len(ids)
    assert all(row(engine, job_id).waiting is None for job_id in ids)


@pytest.mark.parametrize(("token", "says"), [("t", "with this GITHUB_TOKEN"), (None, "with no GITHUB_TOKEN set")])
def test_a_new_token_is_not_held_by_the_limit_of_the_one_before(
    engine: Engine, http: httpx2.Client, target: Target, forge: Forge, built: Built, token: str | None, says: str
) -> None:
    in_force = patient(target.url)
    one, other = (accept(engine, in_force, tag, built.sha[tag]) for tag in TAGS[1:3])
    forge.hold(600, used_up)
    runner(engine, http, in_force, forge.url, token=token).run([one])
    assert says in row(engine, one).waiting["detail"]
    forge.hold(0, used_up)
    runner(engine, http, in_force, forge.url, token=token).run([other])
    assert (row(engine, other).waiting["code"], forge.total_calls) == ("rate_limited", 1)
    make_due(engine, other)
    runner(engine, http, in_force, forge.url, token="fresh").run([other])
    assert (row(engine, other).status, row(engine, other).range["commits"]) == ("succeeded", 3)


def test_jobs_that_run_side_by_side_meet_a_rate_limit_once(
    engine: Engine, http: httpx2.Client, target: Target, forge: Forge, built: Built
) -> None:
    in_force = patient(target.url)
    run = runner(engine, http, in_force, forge.url)
    ids = accept_all(engine, in_force, built)
    with engine.begin() as connection:  # the target knows the repository, so its jobs may run side by side
        contributions.learn(connection, "main", "acme/shop", datetime.now(UTC))
    forge.hold(600, used_up)
    forge.delay = 0.3
    with ThreadPoolExecutor(len(ids)) as pool:
        list(pool.map(lambda job_id: run.run([job_id]), ids))
    assert [row(engine, job_id).waiting["code"] for job_id in ids] == ["rate_limited"] * len(ids)
    assert forge.total_calls == 1, "one call a token until then"


def test_a_rate_limit_that_is_met_on_file_lists_holds_the_other_jobs_and_keeps_back_no_release(
    engine: Engine, http: httpx2.Client, target: Target, forge: Forge, built: Built
) -> None:
    in_force = patient(target.url)
    one, other = (accept(engine, in_force, tag, built.sha[tag]) for tag in TAGS[1:3])

    def limit(request: Request) -> Reply | None:
        if request.segments[-2] == "commits":
            forge.hold(600, used_up)
        else:
            forge.script.appendleft(limit)
        return None

    forge.script.append(limit)
    runner(engine, http, in_force, forge.url).run([one])
    assert (row(engine, one).status, row(engine, one).range["commits"]) == ("succeeded", 3)
    calls = forge.total_calls
    runner(engine, http, in_force, forge.url).run([other])  # of another process
    assert (row(engine, other).waiting["code"], forge.total_calls) == ("rate_limited", calls)


def test_a_limit_past_the_longest_wait_sends_a_partial_release_and_completes_it_later(
    engine: Engine, http: httpx2.Client, target: Target, forge: Forge, built: Built
) -> None:
    in_force = rules(target.url)
    run = runner(engine, http, in_force, forge.url)
    accept(engine, in_force, TAGS[0], built.sha[TAGS[0]])
    job_id = accept(engine, in_force, TAGS[1], built.sha[TAGS[1]])
    forge.hold(3_000, used_up)
    run.run([job_id])
    stored = row(engine, job_id)
    assert (stored.status, stored.waiting["code"], len(target.posts)) == ("retrying", "commits_partial", 1)
    assert stored.range["partial"]
    assert stored.release_url
    forge.hold(0, used_up)
    end_holds(engine)
    make_due(engine, job_id)
    run = runner(engine, http, in_force, forge.url)  # another one, that has not met the limit
    run.run([job_id])
    stored = row(engine, job_id)
    assert (stored.status, stored.range["partial"], stored.range["proven"]) == ("succeeded", None, True)
    assert [len(body["commits"]) for body in sent(target)] == [1, 3]


def test_a_release_that_is_being_completed_keeps_nobody_waiting_and_may_be_left_as_it_is(
    engine: Engine, http: httpx2.Client, target: Target, forge: Forge, built: Built
) -> None:
    in_force = rules(target.url)
    job_id = accept(engine, in_force, TAGS[1], built.sha[TAGS[1]])
    forge.hold(3_600, used_up)
    with engine.begin() as connection:
        assert oldest_waiting_at(connection) is not None
    runner(engine, http, in_force, forge.url).run([job_id])
    stored = row(engine, job_id)
    assert (stored.status, stored.reason, bool(stored.release_url)) == ("retrying", "commits_partial", True)
    with engine.begin() as connection:
        assert oldest_waiting_at(connection) is None
        assert job_transitions.cancel(connection, job_id, now=datetime.now(UTC))
    stored = row(engine, job_id)
    assert (stored.status, stored.reason, stored.waiting) == ("succeeded", "commits_partial", None)


def test_while_it_waits_to_be_completed_a_release_is_not_sent_again(
    engine: Engine, http: httpx2.Client, target: Target, forge: Forge, built: Built
) -> None:
    in_force = rules(target.url)
    run = runner(engine, http, in_force, forge.url)
    job_id = accept(engine, in_force, TAGS[1], built.sha[TAGS[1]])
    forge.hold(3_000, used_up)
    for _ in range(3):
        run.run([job_id])
        make_due(engine, job_id)
    assert (len(target.posts), forge.total_calls) == (1, 1)


def test_a_commit_that_is_not_found_is_waited_for_two_minutes_and_asked_about_for_a_day(
    engine: Engine, http: httpx2.Client, target: Target, forge: Forge
) -> None:
    in_force = rules(target.url)
    run = runner(engine, http, in_force, forge.url)
    job_id = accept(engine, in_force, "v9.0.0", "d" * 40)
    run.run([job_id])
    assert (row(engine, job_id).status, row(engine, job_id).waiting["code"], target.posts) == ("retrying", "forge_behind", [])
    age(engine, job_id, timedelta(minutes=3))
    make_due(engine, job_id)
    run.run([job_id])
    assert (row(engine, job_id).status, row(engine, job_id).waiting["code"]) == ("retrying", "commits_partial")
    age(engine, job_id, timedelta(hours=25))
    make_due(engine, job_id)
    run.run([job_id])
    assert (row(engine, job_id).status, row(engine, job_id).reason) == ("succeeded", "commits_partial")


def test_a_replay_of_an_old_job_waits_for_the_forge_as_a_new_one_does(
    engine: Engine, http: httpx2.Client, target: Target, forge: Forge, built: Built
) -> None:
    in_force = patient(target.url)
    run = runner(engine, http, in_force, forge.url)
    job_id = accept(engine, in_force, TAGS[1], built.sha[TAGS[1]], datetime.now(UTC) - timedelta(days=3))
    target.answers = [(400, {}, b"{}")]
    run.run([job_id])
    assert (row(engine, job_id).status, len(target.posts)) == ("failed", 1)
    with engine.begin() as connection:
        assert job_transitions.replay(connection, job_id, now=datetime.now(UTC))
    forge.hold(600, used_up)
    run.run([job_id])
    assert (row(engine, job_id).waiting["code"], len(target.posts)) == ("rate_limited", 1)
    with engine.begin() as connection:
        old = datetime.now(UTC) - timedelta(minutes=16)
        connection.execute(attempts.update().where(attempts.c.job_id == job_id).values(started_at=old))
    make_due(engine, job_id)
    run.run([job_id])
    assert (row(engine, job_id).waiting["code"], len(target.posts)) == ("commits_partial", 2)


def test_the_longest_wait_is_configurable(
    engine: Engine, http: httpx2.Client, target: Target, forge: Forge, built: Built
) -> None:
    in_force = rules(target.url)
    in_force = Rules(in_force.rules, in_force.targets, CommitRules(wait=timedelta(0)))
    job_id = accept(engine, in_force, TAGS[1], built.sha[TAGS[1]])
    forge.script.append(reply({"message": "boom"}, 500))
    runner(engine, http, in_force, forge.url).run([job_id])
    assert len(target.posts) == 1


def test_a_forge_that_nobody_named_is_not_waited_for_when_it_limits_us_and_completes_the_release_later(
    engine: Engine, http: httpx2.Client, target: Target, forge: Forge, built: Built
) -> None:
    in_force = rules(target.url)
    run = runner(engine, http, in_force, forge.url, is_named=False, token=None)
    job_id = accept(engine, in_force, TAGS[1], built.sha[TAGS[1]])
    forge.hold(600, used_up)
    run.run([job_id])
    assert (row(engine, job_id).waiting["code"], len(target.posts)) == ("commits_partial", 1)
    forge.hold(0, used_up)
    end_holds(engine)
    make_due(engine, job_id)
    runner(engine, http, in_force, forge.url, is_named=False, token=None).run([job_id])
    assert (row(engine, job_id).status, row(engine, job_id).range["commits"]) == ("succeeded", 3)


@pytest.mark.parametrize("unreadable", ["a private repository", "a commit that is not there yet"])
def test_what_a_forge_that_nobody_named_refuses_keeps_no_other_release_from_asking_it(
    engine: Engine, http: httpx2.Client, target: Target, forge: Forge, built: Built, unreadable: str
) -> None:
    in_force = rules(target.url)
    run = runner(engine, http, in_force, forge.url, is_named=False, token=None)
    readable = accept(engine, in_force, TAGS[1], built.sha[TAGS[1]])
    if unreadable == "a private repository":
        private = accept(engine, in_force, "v1", "d" * 40, repository="acme/private")
        run.run([private, accept(engine, in_force, "v2", "e" * 40, repository="acme/private")])
        assert (row(engine, private).reason, forge.total_calls) == ("commits_partial", 1)
    else:
        run.run([accept(engine, in_force, "v9.0.0", "d" * 40)])
    run.run([readable])
    assert (row(engine, readable).status, row(engine, readable).range["commits"]) == ("succeeded", 3)


def test_a_job_that_ends_after_its_tag_has_moved_does_not_take_the_moved_tags_commits_back(
    engine: Engine, http: httpx2.Client, target: Target, forge: Forge, built: Built
) -> None:
    in_force = rules(target.url)
    run = runner(engine, http, in_force, forge.url)
    first = accept(engine, in_force, TAGS[2], built.sha["c2-1"])
    target.answers = [(503, {}, b"{}")]
    run.run([first])
    moved = accept(engine, in_force, TAGS[2], built.sha["c2-3"])
    run.run([moved])
    make_due(engine, first)
    run.run([first])
    *_, last = [[commit["id"] for commit in body["commits"]] for body in sent(target)]
    assert last == [built.sha[f"c2-{number}"] for number in (3, 2, 1)]
    stored = row(engine, first)
    assert (stored.status, stored.reason) == ("succeeded", "commits_partial")
    assert built.sha["c2-3"][:12] in stored.range["partial"]
    assert row(engine, moved).range["partial"] is None


@pytest.mark.parametrize("first_answer", [None, (400, {}, b"{}")], ids=["released at first", "failed at first"])
def test_a_tag_that_was_moved_and_moved_back_lists_what_it_points_at_again(
    engine: Engine, http: httpx2.Client, target: Target, forge: Forge, built: Built, first_answer: Scripted | None
) -> None:
    in_force = rules(target.url)
    run = runner(engine, http, in_force, forge.url)
    first = accept(engine, in_force, TAGS[2], built.sha["c2-1"])
    target.answers = [first_answer]
    run.run([first])
    run.run([accept(engine, in_force, TAGS[2], built.sha["c2-3"])])
    assert accept(engine, in_force, TAGS[2], built.sha["c2-1"]) == first
    assert row(engine, first).status == "queued"
    run.run([first])
    assert [commit["id"] for commit in sent(target)[-1]["commits"]] == [built.sha["c2-1"]]
    assert (row(engine, first).status, row(engine, first).range["partial"]) == ("succeeded", None)
    assert accept(engine, in_force, TAGS[2], built.sha["c2-1"]) == first
    assert row(engine, first).status == "succeeded", "it is there already, whoever else announces it"


@pytest.mark.parametrize("order", [(0, 1), (1, 0)], ids=["the older first", "the newer first"])
def test_a_tag_that_moved_back_before_its_new_commit_was_released_lists_what_it_points_at(
    engine: Engine, http: httpx2.Client, target: Target, forge: Forge, built: Built, order: tuple[int, int]
) -> None:
    in_force = rules(target.url)
    run = runner(engine, http, in_force, forge.url)
    first = accept(engine, in_force, TAGS[2], built.sha["c2-1"])
    run.run([first])
    moved = accept(engine, in_force, TAGS[2], built.sha["c2-3"])
    assert accept(engine, in_force, TAGS[2], built.sha["c2-1"]) == first
    for turn in order:
        run.run([(first, moved)[turn]])
    assert [row(engine, job_id).status for job_id in (first, moved)] == ["succeeded", "succeeded"]
    assert [commit["id"] for commit in sent(target)[-1]["commits"]] == [built.sha["c2-1"]]


@pytest.mark.parametrize("answer", [reply({"message": "Bad credentials"}, 401), reply({"message": "Not Found"}, 404)])
def test_a_forge_that_refuses_never_holds_the_release_back_and_the_job_says_why(
    engine: Engine, http: httpx2.Client, target: Target, forge: Forge, built: Built, answer: Any
) -> None:
    in_force = rules(target.url)
    job_id = accept(engine, in_force, TAGS[1], built.sha[TAGS[1]])
    forge.script.extend([answer] * 4)
    runner(engine, http, in_force, forge.url).run([job_id])
    stored = row(engine, job_id)
    assert (stored.status, stored.reason, len(target.posts)) == ("retrying", "commits_partial", 1)
    assert "GITHUB" in stored.range["partial"] or "repository" in stored.range["partial"]


def test_a_job_whose_repository_is_still_being_logged_waits_without_an_attempt_spent(
    engine: Engine, http: httpx2.Client, target: Target, forge: Forge, built: Built, monkeypatch: pytest.MonkeyPatch
) -> None:
    in_force = rules(target.url)
    job_id = accept(engine, in_force, TAGS[1], built.sha[TAGS[1]])
    with monkeypatch.context() as slow:
        slow.setattr("worker.commits.release_commits.log_all", lambda *_, **__: False)
        runner(engine, http, in_force, forge.url).run([job_id])
    stored = row(engine, job_id)
    assert (stored.status, stored.waiting["code"], forge.total_calls, target.posts) == ("retrying", "log_behind", 0, [])
    make_due(engine, job_id)
    runner(engine, http, in_force, forge.url).run([job_id])
    assert (row(engine, job_id).status, row(engine, job_id).range["commits"]) == ("succeeded", 3)


def test_a_worker_that_is_asked_to_stop_hands_a_job_back_without_an_attempt_spent(
    engine: Engine, http: httpx2.Client, target: Target, forge: Forge, built: Built
) -> None:
    in_force = rules(target.url)
    run = runner(engine, http, in_force, forge.url)
    job_id = accept(engine, in_force, TAGS[1], built.sha[TAGS[1]])

    def stop(_: object) -> None:
        run.stopping.set()

    forge.script.append(stop)
    run.run([job_id])
    stored = row(engine, job_id)
    assert (stored.status, stored.waiting["code"], target.posts) == ("retrying", "worker_stopping", [])
    run.stopping.clear()
    run.run([job_id])
    assert row(engine, job_id).status == "succeeded"


@pytest.mark.parametrize("depth", [0, 1, 2])
def test_a_tag_whose_payload_names_no_commit_is_settled_by_the_api(
    engine: Engine, http: httpx2.Client, target: Target, forge: Forge, tmp_path: Path, depth: int
) -> None:
    made = History()
    made.line("c", 4)
    made.tag("v1.0.0", "c2")
    made.tag("v1.1.0", "c4", depth=depth)
    built = made.build(tmp_path / "tagged")
    forge.add("acme/shop", built.path)
    after = git(built.path, "rev-parse", "refs/tags/v1.1.0").decode().strip()
    in_force = rules(target.url)
    payload = github_push(repository="acme/shop", ref="refs/tags/v1.1.0", after=after)
    assert payload["head_commit"] is None
    (job_id,) = accept_sample(engine, in_force, sign_github(payload, "x"))
    runner(engine, http, in_force, forge.url).run([job_id])
    assert row(engine, job_id).status == "succeeded"
    assert [commit["id"] for commit in sent(target)[0]["commits"]] == [built.sha["c4"], built.sha["c3"]]


def test_a_tag_of_a_file_makes_no_release(
    engine: Engine, http: httpx2.Client, target: Target, forge: Forge, built: Built
) -> None:
    blob = git(built.path, "rev-parse", "v1.0.0:src").decode().strip()
    git(built.path, "-c", "user.name=a", "-c", "user.email=a@b.c", "tag", "-a", "-m", "a tree", "v9", blob)
    after = git(built.path, "rev-parse", "refs/tags/v9").decode().strip()
    in_force = rules(target.url)
    payload = github_push(repository="acme/shop", ref="refs/tags/v9", after=after)
    (job_id,) = accept_sample(engine, in_force, sign_github(payload, "x"))
    runner(engine, http, in_force, forge.url).run([job_id])
    assert row(engine, job_id).status == "failed"
    assert "does not lead to a commit" in str(row(engine, job_id).error)
    assert sent(target) == []

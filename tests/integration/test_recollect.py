"""A list is collected again: it is sent if it differs, nothing else changes, and what fails leaves everything as it was."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx2
import pytest
import sqlalchemy as sa
from sqlalchemy.engine import Engine

from shared.domain.rules import CommitRules, Rules
from shared.ledger import claims, contributions, job_transitions, recollects, rescue
from shared.ledger.tables import contributions as contribution_table
from shared.ledger.tables import deliveries as delivery_table
from shared.ledger.tables import jobs as job_table
from tests.databases import ON_SQLITE
from tests.forge import Built, Forge, reply, used_up
from tests.forge.git import rev_list
from tests.forge_events import push
from tests.forge_run import TAGS, accept, accept_receipt, accept_sample, five_tags, runner, sent
from tests.target import Target
from tests.worker_run import expire_payloads, history, make_due, row, rules
from webhook.local.sample_webhooks import SampleCommit, github_push, sign_github
from worker.jobs.runner import Runner

Make = Callable[..., Runner]
# What a recollect that fails must leave alone.
KEPT = ("status", "reason", "error", "waiting", "range", "release_url", "outcome", "deploy", "updated_at", "before_status")


@pytest.fixture
def built(tmp_path: Path) -> Built:
    return five_tags(tmp_path)


@pytest.fixture
def forge(built: Built) -> Iterator[Forge]:
    with Forge("github") as made:
        made.add("acme/shop", built.path)
        yield made


def named(url: str, **changes: Any) -> Rules:
    given = rules(url, refs=("refs/tags/*", "refs/heads/*"), **changes)
    return Rules(given.rules, given.targets, CommitRules(file_calls=0))


@pytest.fixture
def run(engine: Engine, http: httpx2.Client, target: Target, forge: Forge) -> Runner:
    return runner(engine, http, named(target.url), forge.url)


def recollect(engine: Engine, job_id: str) -> bool:
    with engine.begin() as connection:
        return recollects.begin(connection, job_id, now=datetime.now(UTC))


def state(engine: Engine, job_id: str) -> dict[str, Any]:
    found = row(engine, job_id)
    return {name: getattr(found, name) for name in KEPT}


def forget_commits(engine: Engine, job_id: str) -> None:
    """The release lists its newest commit only, and nobody says that this is not all: as an earlier version had it."""
    found = row(engine, job_id)
    with engine.begin() as connection:
        kept = contributions.kept_contributions(connection, found.target, found.version)["github:acme/shop"]
        own = contributions.Contribution(
            target=found.target,
            version=found.version,
            repository_key="github:acme/shop",
            full_name="acme/shop",
            commits=kept.commits[:1],
        )
        contributions.contribute(connection, own, datetime.now(UTC))
        as_it_was = {**found.range, "commits": 1, "proven": False}
        connection.execute(job_table.update().where(job_table.c.id == job_id).values(range=as_it_was))


def test_a_list_that_differs_is_sent_and_nothing_else_changes(
    engine: Engine, http: httpx2.Client, target: Target, forge: Forge, built: Built
) -> None:
    in_force = named(target.url, environment="production")
    run = runner(engine, http, in_force, forge.url)
    job_id = accept(engine, in_force, TAGS[1], built.sha[TAGS[1]], datetime(2026, 3, 1, tzinfo=UTC))
    run.run([job_id])
    assert len(target.deploys) == 1
    forget_commits(engine, job_id)
    before = state(engine, job_id)
    assert recollect(engine, job_id)
    run.run([job_id])
    after = state(engine, job_id)
    first, again = (body for path, body, _ in target.posts if path.endswith("/releases/"))
    assert again == first, "the same body, with the same dateReleased"
    assert len(target.deploys) == 1, "no second deploy"
    assert [commit["id"] for commit in again["commits"]] == rev_list(built.path, TAGS[0], TAGS[1])
    assert after["range"]["recollected"] == {"added": 2, "removed": 0}
    unchanged = set(KEPT) - {"range", "updated_at"}
    assert {name: after[name] for name in unchanged} == {name: before[name] for name in unchanged}
    assert [(one.trigger, one.outcome, one.http_status) for one in history(engine, job_id)] == [
        ("webhook", "succeeded", 201),
        ("recollect", "succeeded", 208),
    ]


def test_a_list_that_is_the_same_is_not_sent(engine: Engine, target: Target, run: Runner, built: Built, forge: Forge) -> None:
    job_id = accept(engine, named(target.url), TAGS[1], built.sha[TAGS[1]])
    run.run([job_id])
    for _ in range(2):
        assert recollect(engine, job_id)
        calls = forge.total_calls
        run.run([job_id])
        assert forge.total_calls > calls, "the forge was asked again"
    assert (row(engine, job_id).status, len(target.posts)) == ("succeeded", 1)
    assert "recollected" not in row(engine, job_id).range
    assert [one.http_status for one in history(engine, job_id)] == [201, None, None]


def failures(target: Target, forge: Forge) -> dict[str, tuple[Callable[[], object], str]]:
    """What fails, and what the attempt says."""
    return {
        "forge down": (forge.stop, "127.0.0.1"),
        "forge refuses": (lambda: setattr(forge, "tokens", {"another"}), "401"),
        "forge fails": (lambda: forge.script.extend([reply({"message": "oh"}, 502)] * 20), "502"),
        "target fails": (lambda: target.answers.append((500, {}, b"{}")), "500"),
        "target refuses": (lambda: target.answers.append((400, {}, b'{"projects": ["Invalid"]}')), "400"),
        "target bars": (lambda: target.answers.append((403, {}, b"{}")), "403"),
    }


@pytest.mark.parametrize("how", ["forge down", "forge refuses", "forge fails", "target fails", "target refuses", "target bars"])
@pytest.mark.parametrize("is_completing", [False, True])
@ON_SQLITE
def test_what_fails_leaves_release_list_and_state_as_they_were_and_says_why(
    engine: Engine,
    http: httpx2.Client,
    target: Target,
    run: Runner,
    built: Built,
    forge: Forge,
    how: str,
    is_completing: bool,
) -> None:
    if is_completing:
        forge.hold(600, used_up)
    job_id = accept(engine, named(target.url), TAGS[1], built.sha[TAGS[1]])
    run.run([job_id])
    if is_completing:
        forge.hold(0, used_up)
        forge.tokens = {"t"}
        with engine.begin() as connection:
            connection.execute(sa.text("DELETE FROM holds"))
        run = runner(engine, http, named(target.url), forge.url)  # one that has not met the limit
    else:
        forget_commits(engine, job_id)
    before, posts = state(engine, job_id), len(target.posts)
    assert before["status"] == ("retrying" if is_completing else "succeeded")
    act, said = failures(target, forge)[how]
    act()
    assert recollect(engine, job_id)
    run.run([job_id])
    assert state(engine, job_id) == before
    last = history(engine, job_id)[-1]
    assert (last.trigger, last.outcome) == ("recollect", "failed")
    assert said in last.error
    assert len(target.posts) == posts + how.startswith("target")
    with engine.begin() as connection:
        kept = contributions.kept_contributions(connection, "main", TAGS[1])["github:acme/shop"]
    assert len(kept.commits) == 1


def test_a_limited_forge_lets_the_recollect_wait_and_it_goes_on_then(
    engine: Engine, http: httpx2.Client, target: Target, run: Runner, built: Built, forge: Forge
) -> None:
    job_id = accept(engine, named(target.url), TAGS[1], built.sha[TAGS[1]])
    run.run([job_id])
    forget_commits(engine, job_id)
    recollect(engine, job_id)
    forge.hold(600, used_up)
    run.run([job_id])
    assert (row(engine, job_id).status, row(engine, job_id).waiting["code"]) == ("retrying", "rate_limited")
    forge.hold(0, used_up)
    with engine.begin() as connection:
        connection.execute(sa.text("DELETE FROM holds"))
    make_due(engine, job_id)
    runner(engine, http, named(target.url), forge.url).run([job_id])
    assert (row(engine, job_id).status, row(engine, job_id).range["commits"]) == ("succeeded", 3)
    assert [one.outcome for one in history(engine, job_id)] == ["succeeded", "held", "succeeded"]


def test_a_partial_list_is_whole_at_once_when_the_token_works_again(
    engine: Engine, target: Target, http: httpx2.Client, built: Built, forge: Forge
) -> None:
    forge.tokens = {"good"}
    in_force = named(target.url)
    job_id = accept(engine, in_force, TAGS[1], built.sha[TAGS[1]])
    runner(engine, http, in_force, forge.url, token="bad").run([job_id])
    assert row(engine, job_id).range["partial"]
    assert recollect(engine, job_id)
    runner(engine, http, in_force, forge.url, token="good").run([job_id])
    found = row(engine, job_id)
    assert (found.status, found.reason, found.range["partial"], found.range["commits"]) == ("succeeded", None, None, 3)
    assert [len(body["commits"]) for body in sent(target)] == [1, 3]
    assert sent(target)[0]["dateReleased"] == sent(target)[1]["dateReleased"]


def test_a_branch_whose_payload_has_expired_is_collected_from_its_stored_head_and_base(
    engine: Engine, target: Target, run: Runner, built: Built
) -> None:
    (job_id,) = accept_sample(engine, named(target.url), push("github", built, "c0-3", "c1-1", "c1-2", "c1-3"))
    run.run([job_id])
    forget_commits(engine, job_id)
    expire_payloads(engine)
    with engine.begin() as connection:
        connection.execute(sa.text("DELETE FROM pushes"))
        connection.execute(sa.text("DELETE FROM commits"))
    recollect(engine, job_id)
    run.run([job_id])
    first, again = sent(target)
    assert [commit["id"] for commit in again["commits"]] == [commit["id"] for commit in first["commits"]]
    assert (again["dateReleased"], again["version"]) == (first["dateReleased"], first["version"])
    assert row(engine, job_id).range["base"] == built.sha["c0-3"]


def test_a_tag_that_has_moved_keeps_the_list_of_its_new_commit(
    engine: Engine, target: Target, run: Runner, built: Built
) -> None:
    in_force = named(target.url)
    old = accept(engine, in_force, TAGS[1], built.sha["c1-2"])
    run.run([old])
    new = accept(engine, in_force, TAGS[1], built.sha[TAGS[1]])
    run.run([new])
    before = state(engine, old)
    assert recollect(engine, old)
    run.run([old])
    assert state(engine, old) == before
    assert "has moved" in history(engine, old)[-1].error
    assert len(target.posts) == 2
    assert accept(engine, in_force, TAGS[1], built.sha["c1-2"]) == old, "and it can still move back"
    assert row(engine, old).status == "queued"


def test_a_list_without_a_forge_does_not_replace_a_proven_one(
    engine: Engine, target: Target, http: httpx2.Client, run: Runner, built: Built
) -> None:
    job_id = accept(engine, named(target.url), TAGS[1], built.sha[TAGS[1]])
    run.run([job_id])
    before = state(engine, job_id)
    recollect(engine, job_id)
    runner(engine, http, named(target.url), "http://127.0.0.1:9", provider="gitlab").run([job_id])
    assert state(engine, job_id) == before
    assert "keeps its list" in history(engine, job_id)[-1].error


def test_a_worker_that_dies_loses_no_recollect_and_one_that_always_dies_no_release(
    engine: Engine, target: Target, run: Runner, built: Built
) -> None:
    job_id = accept(engine, named(target.url), TAGS[1], built.sha[TAGS[1]])
    run.run([job_id])
    before = state(engine, job_id)
    recollect(engine, job_id)
    later = datetime.now(UTC)
    for number in range(job_transitions.BUDGET):
        later += timedelta(minutes=10)
        with engine.begin() as connection:
            assert claims.claim(connection, job_id, now=later) is not None
        with engine.begin() as connection:
            moved = rescue.rescue(connection, now=later + timedelta(minutes=5))
        assert moved == [(job_id, "succeeded" if number == job_transitions.BUDGET - 1 else "queued")]
    assert state(engine, job_id) == before


# --- redeliveries -------------------------------------------------------------------------------------------------------


def test_a_redelivery_of_a_partial_release_recollects_it(
    engine: Engine, target: Target, run: Runner, built: Built, forge: Forge
) -> None:
    in_force = named(target.url)
    head = SampleCommit("the tagged one", id=built.sha[TAGS[1]])
    sample = sign_github(github_push(repository="acme/shop", ref=f"refs/tags/{TAGS[1]}", head=head), "x")
    (job_id,) = accept_sample(engine, in_force, sample)
    run.run([job_id])
    assert receipt(engine, in_force, sample)[:3] == ("duplicate", (job_id,), ()), "a whole list is not collected again"
    partial = {**row(engine, job_id).range, "partial": "cut", "proven": False}
    with engine.begin() as connection:
        connection.execute(job_table.update().values(reason="commits_partial", range=partial))
        connection.execute(sa.delete(contribution_table))
    assert receipt(engine, in_force, sample) == ("duplicate", (job_id,), (job_id,), (job_id,))
    assert receipt(engine, in_force, sample)[:3] == ("duplicate", (job_id,), ()), "it is under way"
    run.run([job_id])
    assert (row(engine, job_id).status, row(engine, job_id).reason) == ("succeeded", None)
    assert history(engine, job_id)[-1].trigger == "recollect"


@pytest.mark.parametrize("reason", ["no_rule", "branch_not_matched", "version_refused"])
def test_an_ignored_delivery_that_is_redelivered_is_decided_by_todays_rules(
    engine: Engine, target: Target, reason: str
) -> None:
    today, refs = rules(target.url), ("refs/tags/*",)
    then = {
        "no_rule": rules(target.url, repos=("github:other/*",)),
        "branch_not_matched": rules(target.url, refs=("refs/heads/*",)),
        "version_refused": rules(target.url, refs=refs, release="latest"),
    }[reason]
    head = SampleCommit("the tagged one", id="a" * 40)
    sample = sign_github(github_push(repository="acme/shop", ref="refs/tags/v1.0.0", head=head), "x")
    assert accept_sample(engine, then, sample) == ()
    assert receipt(engine, then, sample) == ("duplicate", (), (), ())
    expire_payloads(engine)
    status, made, replayed, knock = receipt(engine, today, sample)
    assert (status, len(made), replayed, knock) == ("accepted", 1, (), made)
    with engine.begin() as connection:
        (delivery,) = connection.execute(sa.select(delivery_table))
        claimed = claims.claim(connection, made[0], now=datetime.now(UTC))
    assert (delivery.status, delivery.reason, tuple(delivery.jobs)) == ("accepted", None, made)
    assert claimed is not None
    assert claimed.body == sample.body, "the payload is there again"
    assert receipt(engine, today, sample)[:2] == ("duplicate", made)


def receipt(engine: Engine, in_force: Rules, sample: Any) -> tuple[str, tuple[str, ...], tuple[str, ...], tuple[str, ...]]:
    """(status, jobs, replayed, those that now wait) of one more delivery."""
    found = accept_receipt(engine, in_force, sample)
    return found.status, found.jobs, found.replayed, found.knock

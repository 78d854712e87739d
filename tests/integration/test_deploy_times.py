"""A deploy has the time of its event, and a branch that comes back to a released commit is deployed once more."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote

import httpx2
import pytest
from sqlalchemy.engine import Engine

from shared.domain.job_states import Trigger
from shared.domain.push import Push, Repository, tag_push
from shared.domain.rules import Rules, decide
from shared.domain.webhook import Incoming
from shared.forges import PROVIDERS
from shared.ledger import deliveries
from shared.ledger.queries import lookup
from shared.ledger.tables import jobs as job_table
from tests.target import Target
from tests.worker_run import JSON, make_due, row, rules, runner
from webhook.local.sample_webhooks import SampleCommit, github_push, sha, sign_github
from webhook.ops import replays

REFS = ("refs/tags/*", "refs/heads/main")
START = datetime.now(UTC) - timedelta(hours=2)


def send(
    engine: Engine,
    in_force: Rules,
    ref: str,
    before: str,
    after: str,
    minute: int,
    *,
    hook: str | None = None,
    is_form: bool = False,
) -> deliveries.Receipt:
    """A push that arrives `minute` minutes after START."""
    commits = [SampleCommit(after)]
    sample = sign_github(github_push(repository="acme/shop", ref=ref, commits=commits, before=sha(before)), "x")
    headers = {key.lower(): value for key, value in sample.headers.items()}
    body = sample.body
    if is_form:
        headers["content-type"], body = "application/x-www-form-urlencoded", b"payload=" + quote(body).encode()
    if hook is not None:
        headers["x-github-hook-id"] = hook
    read = PROVIDERS["github"].read(Incoming(headers, body))
    assert isinstance(read.content, Push)
    decision = decide(read.content, in_force)
    now = START + timedelta(minutes=minute)
    with engine.begin() as connection:
        return deliveries.accept(connection, deliveries.Arrival("github", read, decision, headers, body, now))


def deploys(target: Target) -> list[tuple[str, int]]:
    """(the release, minutes after START) of the deploys sent, in order."""
    names = {sha(name): name for name in ("one", "two")}
    sent = [(path.split("/")[-3], body) for path, body, _ in target.posts if path.endswith("/deploys/")]
    return [
        (names.get(version, version), round((datetime.fromisoformat(body["dateFinished"]) - START).total_seconds() / 60))
        for version, body in sent
    ]


@pytest.fixture
def in_force(target: Target) -> Rules:
    return rules(target.url, environment="production", refs=REFS)


@pytest.mark.parametrize("hooks", [("7", "8"), (None, None)])
@pytest.mark.parametrize("is_form", [False, True])
def test_a_branch_that_is_set_back_is_deployed_once_more_however_many_hooks_say_so(
    engine: Engine, http: httpx2.Client, target: Target, in_force: Rules, hooks: tuple[str | None, ...], is_form: bool
) -> None:
    run = runner(engine, http, in_force)
    moves = [("none", "one"), ("one", "two"), ("two", "one"), ("one", "two")]
    for minute, (before, after) in enumerate(moves):
        told = [send(engine, in_force, "refs/heads/main", before, after, minute, hook=hook, is_form=is_form) for hook in hooks]
        assert [len(receipt.knock) for receipt in told] == [1, 0]
        assert told[0].jobs == told[1].jobs
        run.run(told[0].knock)
    assert deploys(target) == [("one", 0), ("two", 1), ("one", 2), ("two", 3)]


def test_without_an_environment_nothing_is_done_again(engine: Engine, http: httpx2.Client, target: Target) -> None:
    in_force = rules(target.url, refs=REFS)
    run = runner(engine, http, in_force)
    for minute, (before, after) in enumerate([("none", "one"), ("one", "two"), ("two", "one")]):
        run.run(send(engine, in_force, "refs/heads/main", before, after, minute).knock)
    assert len(target.posts) == 2


@pytest.mark.parametrize("state", ["queued", "failed", "running", "partial"])
def test_a_branch_that_is_set_back_to_a_commit_whose_job_has_not_succeeded_is_deployed_last(
    engine: Engine, http: httpx2.Client, target: Target, in_force: Rules, state: str
) -> None:
    run = runner(engine, http, in_force)
    (one,) = send(engine, in_force, "refs/heads/main", "none", "one", 0).jobs
    if state == "failed":
        target.answers = [(400, JSON, b"{}")]
        run.run([one])
    if state == "partial":
        run.run([one])
        completing = {
            "status": "retrying",
            "reason": "commits_partial",
            "next_attempt_at": datetime.now(UTC) + timedelta(hours=1),
        }
        with engine.begin() as connection:
            connection.execute(job_table.update().where(job_table.c.id == one).values(completing))
    run.run(send(engine, in_force, "refs/heads/main", "one", "two", 1).jobs)
    if state == "running":  # the push comes while the release is being sent
        target.on_post = lambda: send(engine, in_force, "refs/heads/main", "two", "one", 2)
        run.run([one])
        assert deploys(target) == [("two", 1), ("one", 0)]
        assert row(engine, one).status == "queued"
    else:
        assert send(engine, in_force, "refs/heads/main", "two", "one", 2).jobs == (one,)
    if state == "running":
        make_due(engine, one)
    run.run([one])
    assert deploys(target)[-1] == ("one", 2)
    assert row(engine, one).status == "succeeded"
    posts = len(target.posts)
    run.run([one])
    assert len(target.posts) == posts


def test_a_tag_that_moves_back_is_deployed_once_more(
    engine: Engine, http: httpx2.Client, target: Target, in_force: Rules
) -> None:
    run = runner(engine, http, in_force)
    for minute, (before, after) in enumerate([("none", "one"), ("one", "two"), ("two", "one")]):
        run.run(send(engine, in_force, "refs/tags/v1", before, after, minute).knock)
    assert deploys(target) == [("v1", 0), ("v1", 1), ("v1", 2)]


def test_a_replayed_older_version_has_its_own_time_and_says_that_a_later_one_is_deployed(
    engine: Engine, http: httpx2.Client, target: Target, in_force: Rules
) -> None:
    run = runner(engine, http, in_force)
    unwanted = rules(target.url, refs=("refs/tags/v9",))
    older = send(engine, unwanted, "refs/tags/v1", "none", "one", 0)
    assert older.jobs == ()
    (newer,) = send(engine, in_force, "refs/tags/v2", "none", "two", 1).jobs
    run.run([newer])
    with engine.begin() as connection:
        found = lookup.find_delivery(connection, older.delivery_id)
        assert found is not None
        (job_id,) = replays.replay_delivery(connection, found, in_force, now=datetime.now(UTC))
    run.run([job_id])
    assert deploys(target) == [("v2", 1), ("v1", 0)]
    released = [body["dateReleased"] for path, body, _ in target.posts if path.endswith("/releases/")]
    assert released == sorted(released, reverse=True)
    assert row(engine, newer).warnings is None
    (warning,) = row(engine, job_id).warnings
    assert warning["code"] == "later_deploy"
    assert warning["detail"].startswith("production has had v2 since ")


@pytest.mark.parametrize(("tag_at", "minute"), [(START, 0), (None, -30), (START + timedelta(days=9), None)])
def test_a_tag_without_a_delivery_has_the_time_of_its_commit(
    engine: Engine, http: httpx2.Client, target: Target, in_force: Rules, tag_at: datetime | None, minute: int | None
) -> None:
    """The forge's list says it, else the push history; never a time to come."""
    before = datetime.now(UTC)
    push = tag_push(Repository("github", "acme/shop"), "v1", sha("one"))
    send(engine, in_force, "refs/heads/other", "none", "one", -40)
    with engine.begin() as connection:
        work = decide(push, in_force).work[0]
        job_id, _ = deliveries.adopt(connection, push, work, Trigger.RECONCILE, datetime.now(UTC), tag_at=tag_at)
    runner(engine, http, in_force).run([job_id])
    (body,) = [body for path, body, _ in target.posts if path.endswith("/releases/")]
    (listed,) = body["commits"]
    expected: Any = {0: START, -30: datetime.fromisoformat(listed["timestamp"]), None: row(engine, job_id).created_at}[minute]
    assert datetime.fromisoformat(body["dateReleased"]) == expected
    assert expected <= datetime.now(UTC)
    assert minute is not None or expected >= before

"""A captured GitHub delivery sent again under another id or event moves nothing back: neither of the two is signed."""

from __future__ import annotations

from typing import Any

import httpx2
import pytest
import sqlalchemy as sa
from flask.testing import FlaskClient
from sqlalchemy.engine import Engine

from shared.domain.rules import Rules
from shared.ledger.tables import deliveries, jobs, payloads, pushes
from tests import builders
from tests.target import Target
from tests.worker_run import row, rules, runner
from webhook.app import create_app
from webhook.local.sample_webhooks import Sample, SampleCommit, github_push, sha, sign_github
from worker.commits.history_writer import log_all

SECRET = "github-secret"


def client(engine: Engine, in_force: Rules) -> FlaskClient:
    url = engine.url.render_as_string(hide_password=False)
    return create_app(builders.settings(database_url=url, webhook_secrets={"github": (SECRET,)}), in_force).test_client()


def tag(commit: str, before: str | None = None, at: int | None = None, name: str = "v1") -> Sample:
    payload = github_push(repository="acme/shop", ref=f"refs/tags/{name}", head=SampleCommit(commit), before=before or "0" * 40)
    if at is not None:
        payload["repository"]["pushed_at"] = at
    return sign_github(payload, SECRET)


def send(door: FlaskClient, sample: Sample, **headers: str) -> tuple[int, Any]:
    answer = door.post("/webhooks/github", data=sample.body, headers={**sample.headers, **headers})
    return answer.status_code, answer.json


def listed(target: Target) -> list[str]:
    return [commit["id"] for commit in target.posts[-1][1]["commits"]]


def test_the_same_signed_body_under_another_id_and_event_is_a_redelivery(
    engine: Engine, http: httpx2.Client, target: Target
) -> None:
    in_force = rules(target.url)
    door, run = client(engine, in_force), runner(engine, http, in_force)
    old, new = tag("one"), tag("two", before=sha("one"))
    first = send(door, old)[1]
    run.run(first["jobs"])
    second = send(door, new)[1]
    run.run(second["jobs"])
    for headers in ({"X-GitHub-Delivery": "captured"}, {"X-GitHub-Delivery": "other", "X-GitHub-Event": "ping"}):
        status, again = send(door, old, **headers)
        assert (status, again["status"], again["delivery_id"]) == (200, "duplicate", first["delivery_id"])
        assert again["jobs"] == first["jobs"]
        run.run(again["replayed"])
    assert listed(target) == [sha("two")], "a moved tag is never moved back"
    with engine.begin() as connection:
        assert connection.execute(sa.select(sa.func.count()).select_from(deliveries)).scalar_one() == 2
        connection.execute(jobs.update().where(jobs.c.id == first["jobs"][0]).values(status="failed", release_url=None))
    status, again = send(door, old, **{"X-GitHub-Delivery": "third"})
    assert again["replayed"] == first["jobs"], "what had failed is queued again"
    run.run(again["replayed"])
    assert row(engine, first["jobs"][0]).status == "succeeded"
    assert listed(target) == [sha("two")]


@pytest.mark.parametrize("event", ["ping", "create"])
def test_a_push_that_came_first_as_another_event_is_one_all_the_same(engine: Engine, target: Target, event: str) -> None:
    """Whoever is faster with a captured body must not make the real delivery a duplicate of nothing."""
    door, sample = client(engine, rules(target.url)), tag("one")
    assert send(door, sample, **{"X-GitHub-Event": event, "X-GitHub-Delivery": "faster"})[1]["status"] == "ignored"
    status, answer = send(door, sample)
    assert (status, answer["status"], len(answer["jobs"])) == (202, "accepted", 1)
    with engine.begin() as connection:
        (stored,) = connection.execute(sa.select(deliveries))
        assert (stored.event, stored.ref, stored.status, stored.to_log) == ("push", "refs/tags/v1", "accepted", True)
        (payload,) = connection.execute(sa.select(payloads))
        assert payload.headers["x-github-event"] == "push"
    assert log_all(engine, provider="github", repository="acme/shop", seconds=9)
    with engine.begin() as connection:
        assert connection.execute(sa.select(pushes.c.sha)).scalar_one() == sha("one")


def test_what_no_rule_wanted_is_decided_again_under_another_id_too(engine: Engine, target: Target) -> None:
    sample = tag("one")
    assert send(client(engine, rules(target.url, refs=("refs/heads/*",))), sample)[1]["status"] == "ignored"
    status, answer = send(client(engine, rules(target.url)), sample, **{"X-GitHub-Delivery": "another"})
    assert (status, answer["status"], len(answer["jobs"])) == (202, "accepted", 1)


def test_two_hooks_that_send_every_push_twice_make_one_job_each(engine: Engine, target: Target) -> None:
    door = client(engine, rules(target.url))
    answers = [send(door, tag(f"c{n}", name=f"v{n}", at=1_790_000_000 + place)) for n in range(3) for place in range(2)]
    assert {status for status, _ in answers} == {202}, "two bodies, as an organization's hook sends them"
    sample = tag("c9", name="v9")
    twice = [send(door, sample, **{"X-GitHub-Delivery": hook, "X-GitHub-Hook-ID": hook}) for hook in "12"]
    assert [(status, answer["jobs"]) for status, answer in twice] == [(202, twice[0][1]["jobs"]), (200, twice[0][1]["jobs"])]
    with engine.begin() as connection:
        assert connection.execute(sa.select(sa.func.count()).select_from(jobs)).scalar_one() == 4


def test_rows_from_before_the_upgrade_match_nothing(engine: Engine, target: Target) -> None:
    door, sample = client(engine, rules(target.url)), tag("one")
    send(door, sample)
    with engine.begin() as connection:
        connection.execute(deliveries.update().values(body_digest=None))
    status, answer = send(door, sample, **{"X-GitHub-Delivery": "another"})
    assert (status, answer["status"]) == (202, "accepted")


@pytest.mark.parametrize("has_expired", [False, True])
def test_a_push_that_is_older_than_the_newest_of_its_ref_never_replaces_its_release(
    engine: Engine, http: httpx2.Client, target: Target, has_expired: bool
) -> None:
    in_force = rules(target.url)
    door, run = client(engine, in_force), runner(engine, http, in_force)
    old, new = tag("one", at=1_790_000_000), tag("two", before=sha("one"), at=1_790_000_060)
    run.run(send(door, old)[1]["jobs"])
    run.run(send(door, new)[1]["jobs"])
    send(door, tag("three", name="v2"))
    with engine.begin() as connection:  # what told the body apart has expired
        if has_expired:
            connection.execute(jobs.delete())
            connection.execute(deliveries.delete().where(deliveries.c.ref == "refs/tags/v1"))
        else:
            connection.execute(deliveries.update().values(body_digest=None))
    again = send(door, old, **{"X-GitHub-Delivery": "captured"})[1]["jobs"]
    run.run(again)
    assert row(engine, again[0]).status == "succeeded"
    assert listed(target) == [sha("two")]
    back = tag("one", before=sha("two"), at=1_790_000_120)
    run.run(send(door, back)[1]["jobs"])
    assert listed(target) == [sha("one")], "a tag that is really moved back is"

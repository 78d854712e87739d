"""A tag that moves A, B, A, B at a GitLab that sends no delivery id ends at B, and what is sent again changes nothing."""

from __future__ import annotations

from datetime import UTC, datetime

import httpx2
from sqlalchemy.engine import Engine

from shared.domain.push import Push
from shared.domain.rules import decide
from shared.domain.webhook import Incoming
from shared.forges import PROVIDERS
from shared.ledger import deliveries
from tests.forge_run import runner
from tests.target import Target
from tests.worker_run import rules
from webhook.local.sample_webhooks import SampleCommit, gitlab_push, sign_gitlab

A, B, ZERO = "a" * 40, "b" * 40, "0" * 40


def send(engine: Engine, target: Target, before: str, after: str) -> deliveries.Receipt:
    commit = SampleCommit(f"at {after[0]}", id=after)
    payload = gitlab_push(repository="acme/shop", ref="refs/tags/v1.0.0", commits=[commit], before=before)
    sample = sign_gitlab(payload, "x", event="Tag Push Hook")
    headers = {key.lower(): value for key, value in sample.headers.items() if key != "Idempotency-Key"}
    hook = PROVIDERS["gitlab"].read(Incoming(headers, sample.body))
    assert isinstance(hook.content, Push)
    arrival = deliveries.Arrival(
        provider="gitlab",
        hook=hook,
        decision=decide(hook.content, rules(target.url)),
        headers=headers,
        body=sample.body,
        now=datetime.now(UTC),
    )
    with engine.begin() as connection:
        return deliveries.accept(connection, arrival)


def test_a_tag_that_moves_there_and_back_twice_ends_where_it_is(engine: Engine, http: httpx2.Client, target: Target) -> None:
    run = runner(engine, http, rules(target.url), "http://127.0.0.1:9", provider="gitlab", is_named=False)
    for before, after in ((ZERO, A), (A, B), (B, A), (A, B)):
        receipt = send(engine, target, before, after)
        assert receipt.status == "accepted"
        run.run(receipt.jobs)
        assert [commit["id"] for commit in target.posts[-1][1]["commits"]] == [after]
    posts = len(target.posts)
    for before, after in ((A, B), (ZERO, A)):  # an old (B, A) could not be told from a tag that moves back once more
        again = send(engine, target, before, after)
        assert again.status == "duplicate"
        run.run(again.replayed)  # its release is partial: its list is collected again, and is the same
    assert len(target.posts) == posts

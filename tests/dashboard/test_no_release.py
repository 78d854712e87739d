"""Twelve reasons why there is no release: each is named with its next step by one page, one curl and one command."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from html import unescape
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy.engine import Engine

from shared.domain import attempt_end
from shared.domain.rules import Rule, Rules
from shared.ledger import claims, job_transitions, target_states
from shared.ledger.tables import jobs as job_table
from tests.cli_run import run
from tests.dashboard import ledger
from webhook.local.sample_webhooks import SampleCommit, github_push, sha, sign_github
from worker.commits.forge_wait import snooze

BEARER = {"Authorization": f"Bearer {ledger.OPERATOR}"}
TAG = "v7.1.0"


@dataclass(frozen=True, slots=True)
class Scene:
    engine: Engine
    app: Flask

    @property
    def now(self) -> datetime:
        return datetime.now(UTC)

    def push(self, rules: Rules | None = None, **given: Any) -> str:
        _, job = ledger.accept(self.engine, rules or ledger.rules(), **{"name": TAG, **given})
        return job or ""

    def run(self, ended: attempt_end.AttemptEnd) -> None:
        """One attempt that ends so."""
        job = self.push()
        with self.engine.begin() as connection:
            claimed = claims.claim(connection, job, now=self.now)
            assert claimed is not None
            job_transitions.end(connection, job, claimed.number, ended, now=self.now)

    def fail(self, reason: str, error: str) -> None:
        self.run(attempt_end.failed(reason=reason, error=error, http_status=400))

    def wait(self, code: str, detail: str) -> None:
        later = self.now + timedelta(minutes=5)
        self.run(attempt_end.snoozed(at=later, waiting=snooze(later, code, detail).waiting))


def wrong_branch(scene: Scene) -> None:
    scene.push(ref=f"refs/heads/{TAG}")


def no_rule(scene: Scene) -> None:
    only = Rule(name="tags", repos=("github:other/*",), refs=("refs/tags/*",), targets=("main",), projects=("app",))
    scene.push(Rules((only,), ledger.rules().targets))


def deleted_tag(scene: Scene) -> None:
    payload = {**github_push(repository="acme/shop", ref=f"refs/tags/{TAG}", head=SampleCommit("x"), after="0" * 40)}
    payload |= {"deleted": True, "head_commit": None, "after": "0" * 40}
    sample = sign_github(payload, "s")
    assert scene.app.test_client().post("/webhooks/github", data=sample.body, headers=sample.headers).status_code == 200


def bad_token(scene: Scene) -> None:
    scene.fail("target_auth", "the target 'main' answered 401: invalid token")


def paused_target(scene: Scene) -> None:
    scene.push()
    with scene.engine.begin() as connection:
        target_states.pause(connection, "main", now=scene.now)


def wrong_signature(scene: Scene) -> None:
    payload = github_push(repository="acme/shop", ref=f"refs/tags/{TAG}", head=SampleCommit("x"), after=sha("x"))
    sample = sign_github(payload, "another secret", delivery_id=TAG)
    assert scene.app.test_client().post("/webhooks/github", data=sample.body, headers=sample.headers).status_code == 401


def four_tags_in_one_push(scene: Scene) -> None:
    """GitHub sends nothing."""


def version_refused(scene: Scene) -> None:
    latest = Rule(name="tags", repos=("*",), refs=("refs/tags/*",), targets=("main",), projects=("app",), release="latest")
    scene.push(Rules((latest,), ledger.rules().targets))


def repository_unknown(scene: Scene) -> None:
    scene.fail("repository_unknown", "the target 'main' answered 400: refs: unknown repository")


def partial_commits(scene: Scene) -> None:
    ledger.end(scene.engine, scene.push(), "completing")


def rate_limit(scene: Scene) -> None:
    scene.wait("rate_limited", "api.github.com takes no more calls")


def broker_down(scene: Scene) -> None:
    scene.push(at=scene.now - timedelta(minutes=1))


SITUATIONS: dict[Callable[[Scene], None], tuple[str, str]] = {
    wrong_branch: ("branch_not_matched", "add it to a rule's refs"),
    no_rule: ("no_rule", "add a rule to tagship.toml"),
    deleted_tag: ("ref_deleted", "Push the tag to release it"),
    bad_token: ("target_auth", "renew the target's token"),
    paused_target: ("target_paused", "resume it"),
    wrong_signature: ("signature_wrong", "Set the same secret"),
    four_tags_in_one_push: ("more than three tags", "compare the repository"),
    version_refused: ("version_refused", "change the rule's release template"),
    repository_unknown: ("repository_unknown", "Add the repository at the target"),
    partial_commits: ("commits_partial", "a token for it helps"),
    rate_limit: ("rate_limited", "when the provider's limit ends"),
    broker_down: ("broker_down", "Start the broker"),
}


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
@pytest.mark.parametrize("situation", SITUATIONS, ids=lambda one: one.__name__)
def test_one_page_one_curl_and_one_command_name_cause_and_next_step(
    situation: Callable[[Scene], None], engine: Engine, app: Flask, operator: FlaskClient
) -> None:
    situation(Scene(engine, app))
    dead = "redis://127.0.0.1:1/0"
    object.__setattr__(app.extensions["services"], "is_broker_down", lambda: True)
    cause, step = SITUATIONS[situation]
    page = operator.get("/search", query_string={"q": TAG}, follow_redirects=True)
    text = re.sub(r"<[^>]+>", "", unescape(page.text))
    assert cause in text
    assert step in text
    said = json.dumps(operator.get("/api/v1/search", query_string={"q": TAG}, headers=BEARER).get_json())
    assert cause in said
    assert step in said
    environ = {
        "DATABASE_URL": engine.url.render_as_string(hide_password=False),
        "GITHUB_WEBHOOK_SECRET": "s",
        "BROKER_URL": dead,
    }
    done = run(environ, "search", TAG)
    assert cause in done.stdout + done.stderr
    assert step in done.stdout + done.stderr
    assert (done.returncode == 3) == (situation is four_tags_in_one_push)


def test_a_job_that_its_target_limits_is_told_from_one_that_the_forge_limits(engine: Engine, operator: FlaskClient) -> None:
    _, job = ledger.accept(engine, ledger.rules(), name=TAG)
    with engine.begin() as connection:
        connection.execute(job_table.update().values(status="retrying", reason="rate_limited", error="the target answered 429"))
    assert "lower the target's pace" in unescape(operator.get(f"/jobs/{job}").text)

"""What is sent to a target that refuses a part of it, and what its refusal is called."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import httpx2
import pytest
import sqlalchemy as sa
from sqlalchemy.engine import Engine

from shared.ledger import recollects
from shared.ledger.tables import payloads
from tests.target import Scripted, Target
from tests.worker_run import Run, warned

UNKNOWN: Scripted = (400, {}, b'{"refs": ["Invalid repository names: acme/shop"]}')
NO_ACCESS: Scripted = (400, {}, b'{"projects": ["Insufficient access to project"]}')
PAGE: Scripted = (400, {"Content-Type": "text/html"}, b"<html><title>400 Request Header Or Cookie Too Large</title>")


def list_many(engine: Engine) -> None:
    """The one stored payload lists so many commits that the body is large."""
    with engine.begin() as connection:
        stored = connection.execute(sa.select(payloads.c.body)).scalar_one()
        body = json.loads(stored)
        one = body["head_commit"]
        others = [{**one, "id": f"{number:040x}", "message": "x" * 3_000} for number in range(399)]
        body["commits"] = [*others, one]
        connection.execute(payloads.update().values(body=json.dumps(body).encode()))


@pytest.mark.parametrize("status", [500, 502, 504])
def test_a_large_body_that_failed_twice_is_made_smaller(
    ledger: Engine, http: httpx2.Client, target: Target, status: int
) -> None:
    run = Run(ledger, http, target, set_commits="payload")
    job_id = run.accept()
    list_many(ledger)
    target.answers = [(status, {}, b"{}")] * 3
    job = run.go(job_id, attempts=4)
    sizes = [(len(body["commits"]), "patch_set" in body["commits"][0]) for _, body, _ in target.posts]
    assert sizes == [(400, True), (400, True), (400, False), (200, False)]
    assert (job.status, job.range["partial"].endswith("the target takes the newest 200 commits only")) == ("succeeded", True)


def test_a_page_that_answers_400_to_a_large_body_means_its_size(ledger: Engine, http: httpx2.Client, target: Target) -> None:
    run = Run(ledger, http, target, set_commits="payload")
    job_id = run.accept()
    list_many(ledger)
    target.answers = [PAGE]
    assert run.go(job_id).status == "succeeded"
    assert "patch_set" not in target.posts[1][1]["commits"][0]
    small = run.accept("v2.0.0", "acme/small")
    target.answers = [PAGE]
    assert run.go(small).status == "failed"


def test_refused_addresses_are_left_out_once(ledger: Engine, http: httpx2.Client, target: Target) -> None:
    refusal: Scripted = (400, {}, b'{"commits": [{"author_email": ["Enter a valid email address."]}]}')
    run = Run(ledger, http, target)
    target.answers = [refusal]
    job = run.go(run.accept())
    assert "author_email" not in target.posts[1][1]["commits"][0]
    assert warned(ledger, job.id) == {
        "emails_left_out": "the target refused the e-mail addresses of some authors (1): their commits were sent without"
    }
    target.answers = [refusal, refusal]
    assert run.go(run.accept("v2.0.0")).status == "failed"


@pytest.mark.parametrize(
    ("projects", "said"),
    [
        (("app",), "no such project: app"),
        (("app", "gone", "lost"), "no such project: gone, lost"),
    ],
)
def test_an_unknown_project_is_named(
    ledger: Engine, http: httpx2.Client, target: Target, projects: tuple[str, ...], said: str
) -> None:
    target.answers = [(400, {}, b'{"projects": ["Invalid project slugs"]}')]
    target.refuses |= {f"/{name}/releases/": (404, {}, b'{"detail": "no"}') for name in ("gone", "lost")}
    run = Run(ledger, http, target, projects=projects)
    job = run.go(run.accept())
    assert (job.status, job.reason) == ("failed", "project_unknown")
    assert job.error.endswith(said)


@pytest.mark.parametrize(
    ("provider", "codes"), [("unknown", {"repository_unlinked"}), ("integrations:github", set()), (None, set())]
)
def test_refs_of_a_repository_without_an_integration_are_a_warning(
    ledger: Engine, http: httpx2.Client, target: Target, provider: str | None, codes: set[str]
) -> None:
    listed = [{"name": "acme/shop", "url": None, "provider": provider and {"id": provider}}]
    target.refuses["/repos/"] = (200, {}, json.dumps(listed).encode())
    run = Run(ledger, http, target, set_commits="refs")
    assert set(warned(ledger, run.go(run.accept()).id)) == codes


def test_refs_of_a_repository_that_the_target_does_not_know_are_left_out(
    ledger: Engine, http: httpx2.Client, target: Target
) -> None:
    run = Run(ledger, http, target, set_commits="refs", environment="production")
    target.answers = [UNKNOWN]
    job = run.go(run.accept())
    assert [body.get("refs") is None for _, body, _ in target.posts] == [False, True, True]
    assert (job.status, len(target.deploys), set(warned(ledger, job.id))) == ("succeeded", 1, {"refs_refused"})
    for answers, left in (([UNKNOWN], {"refs_refused"}), ([], set())):  # still unknown, then added
        target.answers, sent = list(answers), len(target.posts)
        with ledger.begin() as connection:
            assert recollects.begin(connection, job.id, now=datetime.now(UTC))
        assert run.go(job.id).status == "succeeded"
        assert (target.posts[sent][1]["refs"] is not None, set(warned(ledger, job.id))) == (True, left)
    with ledger.begin() as connection:
        assert recollects.begin(connection, job.id, now=datetime.now(UTC))
    sent = len(target.posts)
    assert (run.go(job.id).status, len(target.posts), len(target.deploys)) == ("succeeded", sent, 1)


def test_refs_that_were_refused_stay_a_warning_while_the_deploy_is_tried_again(
    ledger: Engine, http: httpx2.Client, target: Target
) -> None:
    run = Run(ledger, http, target, set_commits="refs", environment="production")
    target.answers = [UNKNOWN, None, (404, {}, b'{"detail": "The requested resource does not exist"}')]
    job = run.go(run.accept(), attempts=2)
    assert (job.status, len(target.deploys), set(warned(ledger, job.id))) == ("succeeded", 1, {"refs_refused"})


@pytest.mark.parametrize("is_shared", [False, True])
def test_a_deploy_whose_projects_the_token_may_not_name_is_sent_without(
    ledger: Engine, http: httpx2.Client, target: Target, is_shared: bool
) -> None:
    run = Run(ledger, http, target, environment="production")
    if is_shared:
        target.keep({"version": "v1.0.0", "projects": ["other"]})
    target.answers = [None, NO_ACCESS]
    job = run.go(run.accept())
    assert [body for body in target.deploys if "projects" in body] == []
    assert (job.status, len(target.deploys)) == (("retrying", 0) if is_shared else ("succeeded", 1))

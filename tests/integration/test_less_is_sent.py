"""What is sent to a target that refuses a part of it, and what its refusal is called."""

from __future__ import annotations

import json

import httpx2
import pytest
import sqlalchemy as sa
from sqlalchemy.engine import Engine

from shared.ledger.tables import payloads
from tests.target import Scripted, Target
from tests.worker_run import Run, warned

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

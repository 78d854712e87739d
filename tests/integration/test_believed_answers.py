"""What a job says is what its target holds: answers of a real HTTP server that keeps, drops or refuses what it is sent."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx2
import pytest
from sqlalchemy.engine import Engine

from shared.ledger import target_states
from shared.ledger.tables import jobs as job_table
from tests import worker_run
from tests.target import Scripted, Target
from tests.worker_run import Run, history, warned
from worker.jobs.deploys import PATIENCE

LATER = "2020-01-01T00:00:00+00:00"


def test_a_release_that_another_client_made_is_finalized_and_the_job_says_whose_commits_may_be_gone(
    engine: Engine, http: httpx2.Client, target: Target
) -> None:
    target.keep({"version": "v1.0.0", "projects": ["app"], "ref": None}, LATER)
    run = Run(engine, http, target)
    job = run.go(run.accept())
    assert (job.status, job.outcome) == ("succeeded", "existed")
    assert target.puts == [{"dateReleased": target.posts[0][1]["dateReleased"], "ref": "v1.0.0"}]
    assert set(warned(engine, job.id)) == {"commits_replaced"}
    again = run.go(run.accept(repository="acme/other"))
    assert warned(engine, again.id) == {}, "the list is ours by now"


@pytest.mark.parametrize(
    ("kept", "codes"),
    [
        ({}, {"commits_replaced"}),
        ({"ref": "main"}, {"commits_replaced", "ref_differs"}),
        ({"status": "archived"}, {"commits_replaced", "release_archived"}),
    ],
)
def test_what_a_release_keeps_of_another_client_is_a_warning(
    ledger: Engine, http: httpx2.Client, target: Target, kept: dict[str, Any], codes: set[str]
) -> None:
    target.keep({"version": "v1.0.0", "projects": ["app"], "ref": "v1.0.0", "dateReleased": LATER}, LATER)
    target.releases["v1.0.0"] |= kept
    run = Run(ledger, http, target)
    job = run.go(run.accept())
    assert (job.status, set(warned(ledger, job.id))) == ("succeeded", codes)
    assert target.puts == []


def test_a_warning_never_quotes_the_token(ledger: Engine, http: httpx2.Client, target: Target) -> None:
    target.keep({"version": "v1.0.0", "projects": ["app"], "ref": "Bearer s3cret-token", "dateReleased": LATER})
    run = Run(ledger, http, target)
    run.worker = worker_run.runner(ledger, http, run.rules, token="s3cret-token")
    job = run.go(run.accept())
    assert "s3cret" not in str(job.warnings)
    assert "'Bearer ***' as ref" in warned(ledger, job.id)["ref_differs"]


def test_a_target_that_always_says_created_is_not_believed(ledger: Engine, http: httpx2.Client, target: Target) -> None:
    run = Run(ledger, http, target)
    kept = {"version": "v1.0.0", "dateCreated": LATER, "ref": "v1.0.0", "projects": [], "commitCount": 9}
    target.answers = [(201, {}, json.dumps(kept).encode())]
    job = run.go(run.accept())
    assert (job.status, job.outcome) == ("succeeded", "existed")
    assert set(warned(ledger, job.id)) == {"commits_replaced", "project_dropped"}


@pytest.mark.parametrize(
    ("answer", "detail"),
    [
        ((403, {}, b'{"detail": "no"}'), "could not be changed: the target 'main' answered 403"),
        ((200, {}, b'{"dateReleased": null}'), "the target keeps no release date"),
    ],
)
def test_a_release_that_cannot_be_finalized_succeeds_with_a_warning(
    ledger: Engine, http: httpx2.Client, target: Target, answer: Scripted, detail: str
) -> None:
    target.keep({"version": "v1.0.0", "projects": ["app"], "ref": "v1.0.0"})
    target.refuses["/v1.0.0/"] = answer
    run = Run(ledger, http, target)
    job = run.go(run.accept())
    assert job.status == "succeeded"
    assert detail in warned(ledger, job.id)["not_finalized"]
    with ledger.begin() as connection:
        assert target_states.find_one(connection, "main").state == "ok"


def test_a_rule_that_does_not_finalize_sends_null_and_changes_nothing(
    ledger: Engine, http: httpx2.Client, target: Target
) -> None:
    run = Run(ledger, http, target, finalize=False)
    job = run.go(run.accept())
    assert target.posts[0][1]["dateReleased"] is None
    assert (job.outcome, job.warnings, target.puts) == ("created", None, [])


def test_a_count_that_the_target_never_says_is_settled_once_a_day(engine: Engine, http: httpx2.Client, target: Target) -> None:
    target.hides.add("commitCount")
    run = Run(engine, http, target)
    jobs = [run.go(run.accept(f"v1.0.{number}")) for number in range(3)]
    asked = [path for path in target.gets if "/commits/" in path]
    assert len(asked) == 1
    assert [job.warnings for job in jobs] == [None] * 3
    with engine.begin() as connection:
        assert target_states.keeps_commits(connection, "main", datetime.now(UTC)) is True
        assert target_states.keeps_commits(connection, "main", datetime.now(UTC) + timedelta(days=1, seconds=1)) is None


def test_a_target_that_keeps_no_commits_says_so_on_every_job(engine: Engine, http: httpx2.Client, target: Target) -> None:
    target.hides |= {"commitCount", "lastCommit"}
    target.refuses["/commits/"] = (404, {}, b'{"detail": "Not Found"}')
    run = Run(engine, http, target)
    details = [warned(engine, run.go(run.accept(f"v1.0.{number}")).id) for number in range(2)]
    assert details == [{"commits_not_kept": "the target keeps none of the 1 commits sent"}] * 2
    assert len([path for path in target.gets if "/commits/" in path]) == 1
    # Known to keep none, it need not be sent a second POST, to which it may always answer 500.
    job_id = run.accept("v2.0.0")
    target.keep({"version": "v2.0.0", "projects": ["app"], "ref": "v2.0.0", "dateReleased": LATER})
    target.never.add("v2.0.0")
    job = run.go(job_id, attempts=2)
    assert (job.status, job.outcome, set(warned(engine, job.id))) == ("succeeded", "existed", {"commits_not_kept"})
    assert len([body for _, body, _ in target.posts if body["version"] == "v2.0.0"]) == 1


def test_after_a_lost_answer_the_release_is_looked_for(engine: Engine, http: httpx2.Client, target: Target) -> None:
    run = Run(engine, http, target)
    job_id = run.accept()
    target.never.add("v1.0.0")
    assert run.go(job_id).status == "retrying"
    target.keep(target.posts[0][1])  # it had come through
    job = run.go(job_id)
    assert (job.status, job.outcome, job.warnings, len(target.posts)) == ("succeeded", "existed", None, 1)
    assert history(engine, job_id)[1].http_status == 200


@pytest.mark.parametrize(
    "kept", [None, {"commitCount": 2}, {"lastCommit": {"id": "f" * 40}}, {"ref": "main"}, {"projects": []}]
)
def test_after_a_lost_answer_what_did_not_come_through_is_sent_again(
    ledger: Engine, http: httpx2.Client, target: Target, kept: dict[str, Any] | None
) -> None:
    run = Run(ledger, http, target)
    job_id = run.accept()
    target.answers = [(502, {}, b"<html>")]
    run.go(job_id)
    if kept is not None:
        target.keep(target.posts[0][1])
        target.releases["v1.0.0"] |= kept
    assert run.go(job_id).status == "succeeded"
    assert len(target.posts) == 2
    assert "commits_replaced" not in warned(ledger, job_id)


@pytest.mark.parametrize("look", [(403, {}, b'{"detail": "no"}'), (500, {}, b"{}"), (200, {}, b"<html>")])
def test_a_target_that_cannot_be_looked_at_is_sent_the_release_again(
    ledger: Engine, http: httpx2.Client, target: Target, look: Scripted
) -> None:
    run = Run(ledger, http, target)
    job_id = run.accept()
    target.answers = [(500, {}, b"{}")]
    target.refuses["/v1.0.0/"] = look
    assert run.go(job_id, attempts=2).status == "succeeded"
    assert len(target.posts) == 2


@pytest.mark.parametrize(
    "answer",
    [
        (403, {}, b'{"detail": "You do not have permission"}'),
        (403, {"Content-Type": "text/html"}, b"<html><title>403 Forbidden</title>"),
        (404, {}, b'{"detail": "The requested resource does not exist"}'),
        (400, {}, b'{"projects": ["Insufficient access to project"]}'),
    ],
)
def test_a_deploy_that_stays_refused_ends_in_a_warning_and_never_pauses_the_target(
    ledger: Engine, http: httpx2.Client, target: Target, answer: Scripted
) -> None:
    target.refuses["/deploys/"] = answer
    run = Run(ledger, http, target, environment="production")
    job_id = run.accept()
    job = run.go(job_id, attempts=7)
    assert job.status == "retrying", "for some minutes it may still be taken"
    long_ago = (datetime.now(UTC) - PATIENCE).isoformat()
    with ledger.begin() as connection:
        connection.execute(job_table.update().values(deploy={**job.deploy, "refused_at": long_ago}))
    job = run.go(job_id)
    assert (job.status, job.error) == ("succeeded", None)
    assert f"answered {answer[0]}" in warned(ledger, job_id)["deploy_refused"]
    releases = [path for path, _, _ in target.posts if path.endswith("/releases/")]
    assert len(releases) == 1, "the release itself is not sent again"
    with ledger.begin() as connection:
        assert target_states.find_one(connection, "main").state == "ok"


def test_a_deploy_that_is_refused_for_a_moment_is_recorded_once(ledger: Engine, http: httpx2.Client, target: Target) -> None:
    target.refuses["/deploys/"] = (404, {}, b'{"detail": "The requested resource does not exist"}')
    run = Run(ledger, http, target, environment="production")
    job_id = run.accept()
    assert run.go(job_id, attempts=2).status == "retrying"
    del target.refuses["/deploys/"]
    job = run.go(job_id)
    assert (job.status, job.warnings, len(target.deploys)) == ("succeeded", None, 1)


def test_a_warning_of_an_attempt_whose_deploy_failed_is_not_lost(ledger: Engine, http: httpx2.Client, target: Target) -> None:
    target.keep({"version": "v1.0.0", "projects": ["app"], "ref": "v1.0.0", "dateReleased": LATER}, LATER)
    run = Run(ledger, http, target, environment="production")
    job_id = run.accept()
    target.answers = [None, (429, {}, b"{}")]
    assert run.go(job_id).status == "retrying"
    assert (run.go(job_id).status, set(warned(ledger, job_id))) == ("succeeded", {"commits_replaced"})

"""The worker's door on real databases against a real HTTP server: what each answer of the target makes of the job."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx2
import pytest
from sqlalchemy.engine import Engine

from shared.domain import attempt_end
from shared.domain.rules import Rules
from shared.ledger import claims, job_transitions, target_states
from shared.ledger.tables import jobs as job_table
from tests.databases import ON_SQLITE
from tests.target import Scripted, Target
from tests.worker_run import JSON, accept, expire_payloads, history, make_due, row, rules, runner
from webhook.local.environment import free_port
from webhook.local.sample_webhooks import sha


def test_a_created_release_succeeds_with_the_planned_body(engine: Engine, http: httpx2.Client, target: Target) -> None:
    in_force = rules(target.url)
    job_id = accept(engine, in_force)
    runner(engine, http, in_force).run([job_id])
    stored = row(engine, job_id)
    assert (stored.status, stored.outcome, stored.reason) == ("succeeded", "created", "commits_partial")
    assert stored.release_url == f"{target.url}/organizations/acme/releases/v1.0.0/"
    assert (stored.range["source"], stored.range["commits"], stored.range["proven"]) == ("payload", 1, False)
    (path, body, headers), *rest = target.posts
    assert rest == []
    assert path == "/api/0/organizations/acme/releases/"
    assert (body["version"], body["projects"], body["ref"]) == ("v1.0.0", ["app"], "v1.0.0")
    assert body["commits"][0]["patch_set"] == [{"path": "till.py", "type": "M"}]
    assert headers["Authorization"] == "Bearer s3cret"
    assert headers["X-Request-Id"] == stored.delivery_id


def test_an_existing_release_is_a_success_too(engine: Engine, http: httpx2.Client, target: Target) -> None:
    target.answers = [(208, JSON, b'{"version": "v1.0.0"}')]
    in_force = rules(target.url)
    job_id = accept(engine, in_force)
    runner(engine, http, in_force).run([job_id])
    assert (row(engine, job_id).status, row(engine, job_id).outcome) == ("succeeded", "existed")


@pytest.mark.parametrize(
    "answer",
    [
        (500, JSON, b"{}"),
        (502, {"Content-Type": "text/html"}, b"<html>bad gateway</html>"),
        (503, JSON, b"{}"),
        (504, JSON, b"{}"),
        (408, JSON, b"{}"),
        (409, JSON, b'{"detail": "Release commits are currently being processed"}'),
        (425, JSON, b"{}"),
        (429, JSON, b"{}"),
        (200, {"Content-Type": "text/html"}, b"<html>sign in</html>"),
        (201, JSON, b"[]"),
    ],
    ids=lambda answer: str(answer[0]),
)
@ON_SQLITE
def test_a_passing_failure_waits_in_sql_and_then_succeeds(
    engine: Engine, http: httpx2.Client, target: Target, answer: Scripted
) -> None:
    target.answers = [answer]
    in_force = rules(target.url)
    job_id = accept(engine, in_force)
    run = runner(engine, http, in_force)
    before = datetime.now(UTC)
    run.run([job_id])
    stored = row(engine, job_id)
    assert stored.status == "retrying"
    assert before < stored.next_attempt_at < before + timedelta(seconds=10)
    assert stored.knock_at == stored.next_attempt_at
    assert history(engine, job_id)[0].http_status == answer[0]
    assert "<html" not in stored.error
    run.run([job_id])
    assert len(target.posts) == 1, "it is not due yet: the second knock finds nothing to claim"
    make_due(engine, job_id)
    run.run([job_id])
    assert row(engine, job_id).status == "succeeded"
    assert row(engine, job_id).error is None
    assert [item.outcome for item in history(engine, job_id)] == ["retry", "succeeded"]


def test_retry_after_is_honoured(engine: Engine, http: httpx2.Client, target: Target) -> None:
    target.answers = [(429, {"Retry-After": "90"}, b"{}")]
    in_force = rules(target.url)
    job_id = accept(engine, in_force)
    before = datetime.now(UTC)
    runner(engine, http, in_force).run([job_id])
    stored, wait = row(engine, job_id), timedelta(seconds=90)
    assert stored.reason == "rate_limited"
    assert before + wait <= stored.next_attempt_at <= datetime.now(UTC) + wait


@pytest.mark.parametrize(
    ("answer", "reason", "hint"),
    [
        ((400, JSON, b'{"projects": ["Invalid project ids or slugs"]}'), "project_unknown", "Invalid project"),
        ((400, JSON, b'{"version": ["Release with name x is not allowed"]}'), "version_refused", "not allowed"),
        ((400, JSON, b'{"refs": ["Invalid repository names: x"]}'), "repository_unknown", "repository names"),
        ((400, JSON, b"nonsense"), "target_refused", "400"),
        ((400, JSON, b"you sent Bearer s3cret"), "target_refused", "you sent Bearer ***"),
        ((404, JSON, b"{}"), "target_refused", "organization 'acme'"),
        ((302, {"Location": "http://evil.test/"}, b""), "target_refused", "redirect"),
    ],
    ids=lambda value: str(value[0]) if isinstance(value, tuple) else None,
)
@ON_SQLITE
def test_a_permanent_failure_is_a_dead_letter_that_says_what_to_do(
    engine: Engine, http: httpx2.Client, target: Target, answer: Scripted, reason: str, hint: str
) -> None:
    target.answers = [answer]
    in_force = rules(target.url)
    job_id = accept(engine, in_force)
    runner(engine, http, in_force).run([job_id])
    stored = row(engine, job_id)
    assert (stored.status, stored.reason) == ("failed", reason)
    assert hint in stored.error
    assert "s3cret" not in stored.error
    assert len(target.posts) == 1


def test_a_target_that_is_not_there_is_passing(engine: Engine, http: httpx2.Client) -> None:
    in_force = rules(f"http://127.0.0.1:{free_port()}")
    job_id = accept(engine, in_force)
    runner(engine, http, in_force).run([job_id])
    stored = row(engine, job_id)
    assert (stored.status, "could not be reached" in stored.error) == ("retrying", True)


def test_the_budget_ends_and_the_reason_says_so(engine: Engine, http: httpx2.Client, target: Target) -> None:
    target.answers = [(500, JSON, b"{}")] * 50
    in_force = rules(target.url)
    job_id = accept(engine, in_force)
    run = runner(engine, http, in_force)
    for _ in range(job_transitions.BUDGET + 3):
        make_due(engine, job_id)
        with engine.begin() as connection:
            target_states.resume(connection, "main", now=datetime.now(UTC))  # as if its pause were over
        run.run([job_id])
    stored = row(engine, job_id)
    assert (stored.status, stored.reason, len(target.posts)) == ("failed", "attempts_exhausted", job_transitions.BUDGET)


def test_a_missing_token_is_told_by_its_variable(engine: Engine, http: httpx2.Client, target: Target) -> None:
    in_force = rules(target.url)
    job_id = accept(engine, in_force)
    runner(engine, http, in_force, token=None).run([job_id])
    assert (row(engine, job_id).reason, row(engine, job_id).error[:2]) == ("target_auth", "T,")


def test_a_tag_whose_payload_has_expired_is_released_from_its_row(engine: Engine, http: httpx2.Client, target: Target) -> None:
    in_force = rules(target.url)
    job_id = accept(engine, in_force)
    expire_payloads(engine)
    runner(engine, http, in_force).run([job_id])
    assert (row(engine, job_id).status, target.posts[0][1]["version"]) == ("succeeded", "v1.0.0")


def test_a_branch_push_whose_payload_has_expired_fails_and_says_so(engine: Engine, http: httpx2.Client, target: Target) -> None:
    in_force = rules(target.url)
    job_id = accept(engine, in_force)
    expire_payloads(engine)
    with engine.begin() as connection:
        connection.execute(job_table.update().values(ref="refs/heads/main"))
    runner(engine, http, in_force).run([job_id])
    assert "expired" in row(engine, job_id).error


def test_one_bad_job_does_not_keep_the_next_from_its_turn(engine: Engine, http: httpx2.Client, target: Target) -> None:
    target.answers = [(400, JSON, b"{}")]
    in_force = rules(target.url)
    first, second = accept(engine, in_force), accept(engine, in_force, "v2.0.0")
    runner(engine, http, in_force).run(["no such job", first, second])
    assert [row(engine, job_id).status for job_id in (first, second)] == ["failed", "succeeded"]


def test_a_stopping_worker_leaves_what_it_has_not_begun(engine: Engine, http: httpx2.Client, target: Target) -> None:
    in_force = rules(target.url)
    job_id = accept(engine, in_force)
    run = runner(engine, http, in_force)
    run.stopping.set()
    run.run([job_id])
    assert (row(engine, job_id).status, target.posts) == ("queued", [])


def test_an_environment_records_one_deploy_after_the_release(engine: Engine, http: httpx2.Client, target: Target) -> None:
    in_force = rules(target.url, environment="production")
    job_id = accept(engine, in_force)
    runner(engine, http, in_force).run([job_id])
    assert [path.rpartition("releases/")[2] for path, _, _ in target.posts] == ["", "v1.0.0/deploys/"]
    assert target.posts[1][1]["environment"] == "production"
    assert row(engine, job_id).deploy["state"] == "sent"


def test_a_deploy_of_unclear_outcome_that_is_there_is_not_sent_again(
    engine: Engine, http: httpx2.Client, target: Target
) -> None:
    target.answers = [None, (504, JSON, b"{}")]
    in_force = rules(target.url, environment="production")
    job_id = accept(engine, in_force)
    run = runner(engine, http, in_force)
    run.run([job_id])
    assert row(engine, job_id).status == "retrying"
    sent = target.posts[1][1]
    target.deploys = [json.loads(json.dumps(sent))]  # the 504 lied: it was stored
    make_due(engine, job_id)
    run.run([job_id])
    assert row(engine, job_id).status == "succeeded"
    assert len([path for path, _, _ in target.posts if path.endswith("deploys/")]) == 1


def test_a_deploy_that_did_not_arrive_is_sent_again_with_the_same_time_once_it_cannot_turn_up_any_more(
    engine: Engine, http: httpx2.Client, target: Target
) -> None:
    target.answers = [None, (503, JSON, b"{}")]
    in_force = rules(target.url, environment="production")
    job_id = accept(engine, in_force)
    run = runner(engine, http, in_force)
    run.run([job_id])
    for _ in range(2):
        make_due(engine, job_id)
        run.run([job_id])
        waiting = row(engine, job_id)
        assert (waiting.status, waiting.waiting["code"]) == ("retrying", "deploy_unclear")
        assert timedelta(seconds=80) < waiting.next_attempt_at - datetime.now(UTC) <= timedelta(seconds=90)
    assert len(deploys_sent(target)) == 1
    noted = row(engine, job_id).deploy
    with engine.begin() as connection:
        long_ago = datetime.fromisoformat(noted["asked_at"]) - timedelta(seconds=91)
        connection.execute(job_table.update().values(deploy={**noted, "asked_at": long_ago.isoformat()}))
    make_due(engine, job_id)
    run.run([job_id])
    assert row(engine, job_id).status == "succeeded"
    times = [body["dateFinished"] for body in deploys_sent(target)]
    assert len(times) == 2
    assert times[0] == times[1]


@pytest.mark.parametrize("status", [409, 425, 429])
def test_a_deploy_that_was_refused_before_anything_was_done_is_sent_again_at_once(
    engine: Engine, http: httpx2.Client, target: Target, status: int
) -> None:
    target.answers = [None, (status, JSON, b"{}")]
    in_force = rules(target.url, environment="production")
    job_id = accept(engine, in_force)
    run = runner(engine, http, in_force)
    run.run([job_id])
    make_due(engine, job_id)
    run.run([job_id])
    assert (row(engine, job_id).status, len(deploys_sent(target))) == ("succeeded", 2)


def test_the_deploy_of_another_job_of_the_same_release_does_not_pass_for_ours(
    engine: Engine, http: httpx2.Client, target: Target
) -> None:
    in_force = rules(target.url, environment="production")
    quick = replace(in_force.targets["main"], deploy_wait=timedelta(0))
    in_force = Rules(in_force.rules, {"main": quick})
    one, other = accept(engine, in_force), accept(engine, in_force, repository="acme/api")
    run = runner(engine, http, in_force)
    target.answers = [None, (503, JSON, b"{}")]
    run.run([one])
    run.run([other])
    make_due(engine, one)
    run.run([one])
    assert [row(engine, job_id).status for job_id in (one, other)] == ["succeeded", "succeeded"]
    assert len(target.deploys) == 2


def deploys_sent(target: Target) -> list[dict[str, Any]]:
    return [body for path, body, _ in target.posts if path.endswith("deploys/")]


def test_refs_mode_leaves_the_commits_to_the_target(engine: Engine, http: httpx2.Client, target: Target) -> None:
    in_force = rules(target.url, set_commits="refs")
    job_id = accept(engine, in_force)
    runner(engine, http, in_force).run([job_id])
    body = target.posts[0][1]
    assert "commits" not in body
    assert body["refs"] == [{"repository": "acme/shop", "commit": sha("Fix the till")}]
    assert row(engine, job_id).range is None


def test_on_413_files_go_first_then_the_oldest_commits_and_the_job_says_so(
    engine: Engine, http: httpx2.Client, target: Target
) -> None:
    target.answers = [(413, JSON, b"{}"), (413, JSON, b"{}")]
    in_force = rules(target.url)
    job_id = accept(engine, in_force)
    runner(engine, http, in_force).run([job_id])
    whole, bare, none = (body for _, body, _ in target.posts)
    assert "patch_set" in whole["commits"][0]
    assert "patch_set" not in bare["commits"][0]
    assert "commits" not in none
    stored = row(engine, job_id)
    assert (stored.status, stored.reason) == ("succeeded", "commits_partial")
    assert "newest 0 commits only" in stored.range["partial"]


def test_two_repositories_that_share_a_version_send_the_union(engine: Engine, http: httpx2.Client, target: Target) -> None:
    in_force = rules(target.url)
    run = runner(engine, http, in_force)
    for repository in ("acme/web", "acme/api"):
        run.run([accept(engine, in_force, repository=repository)])
    first, second = (body for _, body, _ in target.posts)
    assert {commit["repository"] for commit in first["commits"]} == {"acme/web"}
    assert {commit["repository"] for commit in second["commits"]} == {"acme/web", "acme/api"}


def test_jobs_of_one_release_run_one_after_another(engine: Engine) -> None:
    in_force = rules("http://127.0.0.1:1")
    one, other = (accept(engine, in_force, repository=name) for name in ("acme/web", "acme/api"))
    with engine.begin() as connection:
        assert claims.claim(connection, one, now=datetime.now(UTC)) is not None
    with engine.begin() as connection:
        assert claims.claim(connection, other, now=datetime.now(UTC)) is None
    with engine.begin() as connection:
        ended = attempt_end.failed(reason="target_refused", error="no", http_status=400)
        job_transitions.end(connection, one, 1, ended, now=datetime.now(UTC))
        assert claims.claim(connection, other, now=datetime.now(UTC)) is not None


def test_the_worker_is_told_when_a_message_is_done_whatever_became_of_its_jobs(
    engine: Engine, http: httpx2.Client, target: Target
) -> None:
    in_force = rules(target.url)
    run = runner(engine, http, in_force)
    told: list[int] = []
    run.on_free = lambda: told.append(len(target.posts))
    run.run([accept(engine, in_force), accept(engine, in_force, "v2.0.0")])
    run.run(["no such job"])
    assert told == [2, 2]

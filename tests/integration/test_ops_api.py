"""The ops API through Flask's client: every call of the contract's section 4, who may make it, and each bad input."""

from __future__ import annotations

import hmac
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from urllib.parse import quote

import pytest
from flask.testing import FlaskClient
from sqlalchemy.engine import Engine
from werkzeug.test import TestResponse

from shared.config.settings import Settings
from shared.domain import attempt_end
from shared.domain.job_warnings import JobWarning, WarningCode
from shared.ledger import job_transitions, target_states
from shared.ledger.tables import jobs as job_table
from tests.databases import ON_SQLITE
from tests.ledger_rows import claim, fail, succeed
from tests.ops_calls import OPERATOR, VIEWER, failed, get, post, sent
from tests.webhook_calls import GITHUB, send, tag
from webhook.app import create_app
from webhook.local.sample_webhooks import SampleCommit, github_push, sign_github

JOB_KEYS = {
    "id", "delivery_id", "provider", "repository", "ref", "sha", "target", "status", "version", "attempts", "next_attempt_at",
    "created_at", "updated_at", "reason", "error", "waiting", "outcome", "release_url", "range", "warnings", "advice",
}  # fmt: skip


PATHS = ["deliveries", "deliveries/x", "jobs", "jobs/x", "search?q=x", "targets", "stats", "no/such/call"]
POSTS = [
    "deliveries/x/replay",
    "jobs/x/replay",
    "jobs/x/cancel",
    "jobs/replay",
    "targets/default/pause",
    "targets/x/resume",
    "targets/x/check",
]


@pytest.mark.parametrize(
    "headers", [{}, {"Authorization": "Bearer wrong"}, {"Authorization": "Basic op-token"}, {"Cookie": "s=op-token"}]
)
@pytest.mark.parametrize("path", PATHS + POSTS)
@ON_SQLITE
def test_without_the_token_every_call_is_401(client: FlaskClient, path: str, headers: dict[str, str]) -> None:
    for method in ("get", "post", "put", "delete"):
        answer: TestResponse = getattr(client, method)(f"/api/v1/{path}", headers=headers)
        assert (answer.status_code, answer.content_type) == (401, "application/problem+json")
        assert answer.headers["WWW-Authenticate"].startswith("Bearer")


@pytest.mark.parametrize("path", POSTS)
@ON_SQLITE
def test_the_reading_token_may_look_and_nothing_else(client: FlaskClient, path: str) -> None:
    assert client.post(f"/api/v1/{path}", headers=VIEWER).status_code == 403
    assert client.get("/api/v1/jobs", headers=VIEWER).status_code == 200


def test_without_any_token_set_the_api_is_shut(engine: Engine) -> None:
    app = create_app(Settings(database_url=engine.url.render_as_string(hide_password=False), sentry_url="http://127.0.0.1:1"))
    for token in ("", "None", " "):
        assert app.test_client().get("/api/v1/jobs", headers={"Authorization": f"Bearer {token}"}).status_code == 401
    app.extensions["services"].engine.dispose()


def test_a_job_has_the_keys_of_the_contract_and_its_history(client: FlaskClient, engine: Engine) -> None:
    job_id = failed(client, engine, delivery_id="d-1")
    shown = get(client, f"jobs/{job_id}")
    assert set(shown) == JOB_KEYS | {"history"}
    assert (shown["status"], shown["delivery_id"], shown["attempts"], shown["next_attempt_at"]) == ("failed", "d-1", 1, None)
    assert shown["created_at"].endswith("Z")
    assert set(shown["history"][0]) == {
        "number", "trigger", "started_at", "finished_at", "outcome", "http_status", "error", "exchanges",
        "exchanges_left_out",
    }  # fmt: skip
    assert set(get(client, "jobs")["items"][0]) == JOB_KEYS


def test_a_number_beyond_all_bounds_is_shown_as_it_was_sent(client: FlaskClient) -> None:
    sample = tag(delivery_id="d-1")
    odd = sample.body.rstrip()[:-1] + b', "odd": [1e400, -1e999, 1e5]}'
    signature = "sha256=" + hmac.new(GITHUB.encode(), odd, "sha256").hexdigest()
    assert (
        send(client, replace(sample, body=odd, headers={**sample.headers, "X-Hub-Signature-256": signature})).status_code == 202
    )
    answer = client.get("/api/v1/deliveries/d-1", headers=OPERATOR)
    assert b"Infinity" not in answer.data
    assert answer.get_json()["payload"]["odd"] == ["1e400", "-1e999", 1e5]


def test_a_delivery_shows_why_and_what_was_sent_without_secrets(client: FlaskClient) -> None:
    job_id = sent(client, delivery_id="d-1")
    shown = get(client, "deliveries/d-1")
    assert (shown["id"], shown["status"], shown["jobs"]) == ("d-1", "accepted", [job_id])
    assert shown["why"]["decided"] == "default"
    assert shown["payload"]["ref"] == "refs/tags/v1.0.0"
    assert shown["headers"]["x-github-event"] == "push"
    assert "x-hub-signature-256" not in shown["headers"]
    assert set(get(client, "deliveries")["items"][0]) == {
        "id", "provider", "repository", "event", "ref", "status", "reason", "detail", "created_at", "outcome", "advice",
    }  # fmt: skip


@pytest.mark.parametrize(
    "delivery_id", ["a/b", "a//b", "/a", "a/", "a/replay", "%2F?&#=", "replay", "ü-none"[2:], "~!@$^*()[]{}|;:'\",.<>\\"]
)
def test_a_delivery_is_found_by_any_id_that_a_provider_may_send(client: FlaskClient, delivery_id: str) -> None:
    sent(client, delivery_id=delivery_id)
    path = quote(delivery_id, safe="")
    assert get(client, f"deliveries/{path}")["id"] == delivery_id
    assert post(client, f"deliveries/{path}/replay") == {"jobs": []}


@pytest.mark.parametrize("path", ["jobs/%00", "deliveries/%00", "deliveries/a%00b", "deliveries/x?provider=%00", "jobs/%F0%28"])
def test_an_address_that_can_name_nothing_is_404_on_every_database(client: FlaskClient, path: str) -> None:
    get(client, path, status=404)
    address, _, query = path.partition("?")
    post(client, f"{address}/replay?{query}", status=404)
    post(client, "targets/%00/pause", status=404)


def test_lists_are_newest_first_and_pages_join_without_gap(client: FlaskClient) -> None:
    ids = [sent(client, f"v{n}", f"d{n}") for n in range(7)]
    for path, wanted in (("jobs", ids[::-1]), ("deliveries", [f"d{n}" for n in range(7)][::-1])):
        found, cursor = [], ""
        while cursor is not None:
            page = get(client, f"{path}?limit=3&cursor={cursor}")
            found += [item["id"] for item in page["items"]]
            cursor = page["next_cursor"]
        assert found == wanted


def test_filters_pick(client: FlaskClient, engine: Engine) -> None:
    job_id = failed(client, engine, "v1")
    sent(client, "v2")
    assert [job["id"] for job in get(client, "jobs?status=failed")["items"]] == [job_id]
    assert get(client, "jobs?warning=ref_differs")["items"] == []
    assert get(client, "jobs?repository=acme/none")["items"] == []
    assert get(client, "jobs?provider=gitlab")["items"] == []
    assert len(get(client, "jobs?provider=github&status=failed")["items"]) == 1
    assert len(get(client, "jobs?target=default&since=2h&status=")["items"]) == 2
    later = quote((datetime.now(UTC) + timedelta(hours=1)).isoformat())
    assert get(client, f"jobs?since={later}")["items"] == get(client, f"deliveries?since={later}")["items"] == []
    assert len(get(client, "deliveries?provider=github&status=accepted&repository=acme/shop")["items"]) == 2


def test_warnings_are_listed_and_a_filter_picks_one_code(client: FlaskClient, engine: Engine) -> None:
    text = JobWarning(WarningCode.REF_DIFFERS, 'it said "code":"not_finalized" and {"code": "not_finalized"}')
    other = JobWarning(WarningCode.PROJECT_DROPPED, "it dropped app")
    ids = []
    for name, warnings in (("v1", [text]), ("v2", [other, text]), ("v3", [])):
        job = claim(engine, sent(client, name), datetime.now(UTC))
        assert job is not None
        assert succeed(engine, job, warnings=warnings)
        ids.append(job.id)
    shown = get(client, f"jobs/{ids[1]}")
    assert shown["warnings"] == [
        {"code": "project_dropped", "detail": "it dropped app"}, {"code": "ref_differs", "detail": text.detail}
    ]  # fmt: skip
    for query, wanted in (("ref_differs", ids[1::-1]), ("project_dropped&status=succeeded", ids[1:2]), ("not_finalized", [])):
        assert [job["id"] for job in get(client, f"jobs?warning={query}")["items"]] == wanted
    assert get(client, "jobs?warning=")["items"][0]["warnings"] == []
    assert "not_finalized" in get(client, "jobs?warning=ref%25", status=400)["detail"]
    for words, matched in (({"warning": "ref_differs"}, 0), ({"warning": "project_dropped", "status": "succeeded"}, 0)):
        assert post(client, "jobs/replay", {"filter": words, "dry_run": True}, 200) == {"matched": matched}


@pytest.mark.parametrize("kind", ["jobs", "deliveries"])
@pytest.mark.parametrize(
    "query",
    ["limit=0", "limit=201", "limit=x", "limit=-1", "limit=1e2", "cursor=x", "cursor=am9iOng", "since=soon", "since=2026-13-01",
     "since=99999999d", "status=done", "colour=red", "limit=1&limit=2", "repository=%00"],
)  # fmt: skip
@ON_SQLITE
def test_a_bad_parameter_is_400_and_named(client: FlaskClient, kind: str, query: str) -> None:
    answer = client.get(f"/api/v1/{kind}?{query}", headers=OPERATOR)
    assert (answer.status_code, answer.content_type) == (400, "application/problem+json")
    assert query.partition("=")[0] in answer.get_json(force=True)["detail"]


def test_a_cursor_of_one_list_is_refused_by_the_other(client: FlaskClient) -> None:
    for n in range(2):
        sent(client, f"v{n}")
    cursor = get(client, "jobs?limit=1")["next_cursor"]
    get(client, f"deliveries?cursor={cursor}", status=400)


def test_replaying_and_cancelling_a_job(client: FlaskClient, engine: Engine) -> None:
    job_id = failed(client, engine)
    assert post(client, f"jobs/{job_id}/replay")["status"] == "queued"
    post(client, f"jobs/{job_id}/replay", status=409)
    assert post(client, f"jobs/{job_id}/cancel")["status"] == "cancelled"
    post(client, f"jobs/{job_id}/cancel", status=409)
    post(client, "jobs/unknown/replay", status=404)
    get(client, "jobs/unknown", status=404)


def test_replaying_a_delivery(client: FlaskClient, engine: Engine) -> None:
    job_id = failed(client, engine, delivery_id="d-1")
    assert post(client, "deliveries/d-1/replay") == {"jobs": [job_id]}
    assert post(client, "deliveries/d-1/replay") == {"jobs": []}
    post(client, "deliveries/unknown/replay", status=404)


def test_a_replay_that_no_rule_wants_says_so(client: FlaskClient) -> None:
    payload = github_push(repository="acme/shop", ref="refs/heads/topic", commits=[SampleCommit("x")])
    assert send(client, sign_github(payload, GITHUB, delivery_id="d-1")).status_code == 200
    told = post(client, "deliveries/d-1/replay")
    assert told["jobs"] == []
    assert "branch_not_matched" in told["detail"]
    assert "within seconds" in told["detail"]


def test_a_repository_is_found_by_the_name_that_rules_give_it(client: FlaskClient) -> None:
    sent(client)
    for words in ("repository=acme/shop", "repository=github:acme/shop", "repository=github:acme/shop&provider=github"):
        for kind in ("jobs", "deliveries"):
            assert len(get(client, f"{kind}?{words}")["items"]) == 1, words
    assert get(client, "jobs?repository=gitlab:acme/shop")["items"] == []
    assert "which is meant" in get(client, "jobs?repository=github:acme/shop&provider=gitlab", status=400)["detail"]


def test_a_refused_delivery_is_shown_and_cannot_be_replayed(client: FlaskClient) -> None:
    assert send(client, tag(delivery_id="d-1", secret="forged")).status_code == 401
    assert get(client, "deliveries/d-1")["reason"] == "signature_wrong"
    assert "refused" in post(client, "deliveries/d-1/replay", status=409)["detail"]


def test_bulk_replay_counts_first(client: FlaskClient, engine: Engine) -> None:
    for n in range(3):
        failed(client, engine, f"v{n}")
    wanted = {"filter": {"status": "failed", "repository": "acme/shop"}}
    assert post(client, "jobs/replay", {**wanted, "dry_run": True}, status=200) == {"matched": 3}
    first, second = post(client, "jobs/replay", wanted), post(client, "jobs/replay", wanted)
    assert first == {"replay": first["replay"], "matched": 3, "replayed": 3}
    assert second == {"replay": first["replay"] + 1, "matched": 0, "replayed": 0}


@pytest.mark.parametrize(
    "body",
    ["", "[]", "x", "{}", '{"filter": {}}', '{"filter": null}', '{"filter": {"colour": "red"}}', '{"filter": {"status": 1}}',
     '{"filter": {"status": "done"}}', '{"filter": {"since": "soon"}}', '{"filter": {"status": "failed"}, "dryrun": true}',
     '{"filter": {"status": "failed"}, "dry_run": "yes"}', '{"filter": {"repository": "\\ud800"}}',
     '{"filter": {"repository": "\\u0000"}}', '{"filter": {"since": "999999w"}}', '{"filter": {"status": NaN}}'],
)  # fmt: skip
@ON_SQLITE
def test_a_bulk_replay_that_is_not_clear_is_400(client: FlaskClient, engine: Engine, body: str) -> None:
    job_id = failed(client, engine)
    post(client, "jobs/replay", body, status=400)
    assert get(client, f"jobs/{job_id}")["status"] == "failed"


def test_the_same_key_gets_the_same_answer_and_acts_once(client: FlaskClient, engine: Engine) -> None:
    job_id = failed(client, engine)
    first = post(client, f"jobs/{job_id}/replay", **{"Idempotency-Key": "k"})
    job = claim(engine, job_id, datetime.now(UTC))
    assert job is not None
    assert fail(engine, job)
    assert post(client, f"jobs/{job_id}/replay", **{"Idempotency-Key": "k"}) == first
    assert get(client, f"jobs/{job_id}")["status"] == "failed", "the second one did nothing"
    post(client, f"jobs/{job_id}/replay", status=400, **{"Idempotency-Key": "with blank"})


def test_the_same_key_with_another_query_is_another_question(client: FlaskClient, engine: Engine) -> None:
    job_id = failed(client, engine)
    delivery_id = get(client, f"jobs/{job_id}")["delivery_id"]
    post(client, f"deliveries/{delivery_id}/replay?provider=github", **{"Idempotency-Key": "k"})
    post(client, f"deliveries/{delivery_id}/replay?provider=gitlab", status=409, **{"Idempotency-Key": "k"})


def test_targets_are_shown_paused_and_resumed(client: FlaskClient, engine: Engine) -> None:
    job_id = sent(client)
    (target,) = get(client, "targets")["items"]
    assert (target["name"], target["state"], target["waiting_jobs"], target["org"]) == ("default", "ok", 1, "local")
    for _ in range(2):
        assert post(client, "targets/default/pause")["state"] == "paused"
    assert get(client, f"jobs/{job_id}")["waiting"] == {
        "code": "target_paused", "detail": "paused by a person", "until": None, "party": "tagship",
    }  # fmt: skip
    for _ in range(2):
        assert post(client, "targets/default/resume")["state"] == "ok"
    assert get(client, f"jobs/{job_id}")["waiting"] is None
    post(client, "targets/unknown/pause", status=404)


def test_a_target_that_is_ill_says_until_when_it_is_paused(client: FlaskClient, engine: Engine) -> None:
    from shared.domain.target_health import Seen, Sign

    now = datetime.now(UTC)
    with engine.begin() as connection:
        for _ in range(5):
            target_states.record(connection, "default", "j", Seen(Sign.ILL, "it answered 503"), now=now)
    (target,) = get(client, "targets")["items"]
    assert (target["state"], target["reason"], target["detail"]) == ("paused", "target_paused", "it answered 503")
    assert datetime.fromisoformat(target["paused_until"]) == now + timedelta(seconds=5)


def test_stats_count_and_tell_the_oldest_that_waits(client: FlaskClient, engine: Engine) -> None:
    none = {
        "jobs": dict.fromkeys(("queued", "running", "retrying", "succeeded", "failed", "cancelled"), 0),
        "deliveries": dict.fromkeys(("accepted", "ignored", "refused"), 0),
    }
    assert get(client, "stats") == {**none, "oldest_waiting_at": None}
    job_id = sent(client, "v1")
    failed(client, engine, "v2")
    stats = get(client, "stats")
    assert (stats["jobs"], stats["deliveries"]) == (
        {**none["jobs"], "queued": 1, "failed": 1},
        {**none["deliveries"], "accepted": 2},
    )
    assert stats["oldest_waiting_at"] == get(client, f"jobs/{job_id}")["created_at"]


def test_an_expired_payload_is_null(client: FlaskClient, engine: Engine) -> None:
    from shared.ledger.tables import payloads

    sent(client, delivery_id="d-1")
    with engine.begin() as connection:
        connection.execute(payloads.delete())
    assert (get(client, "deliveries/d-1")["payload"], get(client, "deliveries/d-1")["headers"]) == (None, None)
    assert "expired" in post(client, "deliveries/d-1/replay", status=409)["detail"]


def test_a_job_not_yet_due_says_when(client: FlaskClient, engine: Engine) -> None:
    job = claim(engine, sent(client), datetime.now(UTC))
    assert job is not None
    at = datetime.now(UTC) + timedelta(minutes=3)
    with engine.begin() as connection:
        ended = attempt_end.retried(at=at, reason=None, error="503", http_status=503)
        job_transitions.end(connection, job.id, 1, ended, now=at)
        assert connection.execute(job_table.select()).one().status == "retrying"
    assert datetime.fromisoformat(get(client, f"jobs/{job.id}")["next_attempt_at"]) == at

"""The receiver through Flask's client: each row of the contract's table of answers, and what was stored for it."""

from __future__ import annotations

import asyncio
import gzip
import io
import json
from collections.abc import Iterator
from datetime import UTC, datetime
from http import HTTPStatus
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from flask.testing import FlaskClient
from sqlalchemy.engine import Engine
from werkzeug.datastructures import EnvironHeaders, Headers
from werkzeug.test import TestResponse

from shared.config.settings import Settings
from shared.domain import attempt_end
from shared.infra.asgi import Limits
from shared.ledger import claims, job_transitions
from shared.ledger.tables import deliveries, jobs, payloads
from tests.databases import ON_SQLITE
from tests.webhook_calls import COMMITS, GITHUB, GITLAB, send, tag
from webhook.app import create_app
from webhook.http.client_address import sender_of
from webhook.intake.fast_path import quickly
from webhook.intake.receiver import Intake
from webhook.local.sample_webhooks import Sample, SampleCommit, github_push, gitlab_push, sha, sign_github, sign_gitlab


@pytest.fixture(params=["in a thread", "beside the event loop", "in the event loop"])
def client(
    engine: Engine, tmp_path: Path, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> Iterator[FlaskClient]:
    """The three ways in: that of the largest bodies, that of large ones, and that of all others."""
    if request.param == "beside the event loop":
        monkeypatch.setattr("webhook.intake.fast_path._QUICK_BYTES", 0)
    settings = Settings(
        data_dir=tmp_path,
        database_url=engine.url.render_as_string(hide_password=False),
        webhook_secrets={"github": (GITHUB, "second-secret"), "gitlab": (GITLAB,)},
        sentry_url="http://127.0.0.1:1",
        broker_url="redis://127.0.0.1:1/0",  # nobody listens: the sender must not notice
    )
    app = create_app(settings)
    with asyncio.Runner() as runner:
        if request.param != "in a thread":
            app.wsgi_app = quick(app.wsgi_app, app.extensions["intake"], runner)  # type: ignore[method-assign]
        yield app.test_client()
        app.extensions["services"].notifier.stop()
        app.extensions["services"].engine.dispose()
        runner.run(app.extensions["intake"].group_commit.close())


def quick(app: Any, door: Intake, runner: asyncio.Runner) -> Any:
    """A WSGI app that answers as the server's entry does for a webhook."""
    take = quickly(lambda: door, sender_of(()))

    def answer(environ: dict[str, Any], start_response: Any) -> Any:
        kept: bytes = environ["wsgi.input"].read()
        environ["wsgi.input"] = io.BytesIO(kept)
        headers = {name.lower(): value for name, value in Headers(EnvironHeaders(environ)).items()}
        scope = {"method": environ["REQUEST_METHOD"], "path": environ["PATH_INFO"], "client": (environ["REMOTE_ADDR"], 1)}

        async def wait() -> Any:
            later = None if len(kept) > Limits().max_body else take(scope, headers, kept)
            return None if later is None else await later

        if (found := runner.run(wait())) is None:
            return app(environ, start_response)
        start_response(f"{found[0]} {HTTPStatus(found[0]).phrase}", found[1])
        return [found[2]]

    return answer


def rows(engine: Engine, table: sa.Table) -> list[Any]:
    with engine.begin() as connection:
        return list(connection.execute(sa.select(table)))


def assert_problem(answer: TestResponse, status: int) -> dict[str, Any]:
    assert answer.status_code == status, answer.text
    assert answer.content_type == "application/problem+json"
    problem = answer.get_json(force=True)
    assert problem["status"] == status
    assert problem["detail"]
    assert "Traceback" not in answer.text
    return dict(problem)


def test_a_tag_is_accepted_and_its_job_stored_before_the_answer(client: FlaskClient, engine: Engine) -> None:
    answer = send(client, tag(delivery_id="d-1"))
    assert answer.status_code == 202
    stored = rows(engine, jobs)
    assert answer.json == {"delivery_id": "d-1", "status": "accepted", "jobs": [stored[0].id]}
    assert (stored[0].version, stored[0].sha, stored[0].status) == ("v1.0.0", sha("two"), "queued")


def test_a_push_to_the_default_branch_becomes_a_release_named_by_the_full_sha(client: FlaskClient, engine: Engine) -> None:
    payload = github_push(repository="acme/shop", ref="refs/heads/main", commits=COMMITS, before=sha("zero"))
    assert send(client, sign_github(payload, GITHUB)).status_code == 202
    assert rows(engine, jobs)[0].version == sha("two")


def test_a_push_to_another_branch_is_ignored_with_its_reason_and_kept(client: FlaskClient, engine: Engine) -> None:
    payload = github_push(repository="acme/shop", ref="refs/heads/try", commits=COMMITS, before=sha("zero"))
    answer = send(client, sign_github(payload, GITHUB))
    assert answer.status_code == 200
    assert answer.json is not None
    assert (answer.json["status"], answer.json["reason"]) == ("ignored", "branch_not_matched")
    assert "try" in answer.json["detail"]
    assert rows(engine, deliveries)[0].why[0]["rule"] == "default"
    assert len(rows(engine, payloads)) == 1


def test_a_tag_named_latest_is_ignored_as_a_refused_version(client: FlaskClient) -> None:
    answer = send(client, tag("latest"))
    assert (answer.status_code, answer.json and answer.json["reason"]) == (200, "version_refused")


def test_a_slash_in_a_tag_is_mapped_to_a_hyphen(client: FlaskClient, engine: Engine) -> None:
    assert send(client, tag("web/v3")).status_code == 202
    assert rows(engine, jobs)[0].version == "web-v3"


def test_the_same_delivery_again_is_a_duplicate_with_the_first_jobs(client: FlaskClient) -> None:
    first, again = send(client, tag(delivery_id="same")), send(client, tag(delivery_id="same"))
    assert first.json is not None
    assert again.status_code == 200
    assert again.json == {"delivery_id": "same", "status": "duplicate", "jobs": first.json["jobs"], "replayed": []}


def test_a_redelivery_of_a_failed_job_replays_it(client: FlaskClient, engine: Engine) -> None:
    first = send(client, tag(delivery_id="same")).json
    assert first is not None
    now = datetime.now(UTC)
    with engine.begin() as connection:
        job = claims.claim(connection, first["jobs"][0], now=now)
        assert job is not None
        ended = attempt_end.failed(reason="target_auth", error="no", http_status=401)
        job_transitions.end(connection, job.id, 1, ended, now=now)
    again = send(client, tag(delivery_id="same"))
    assert again.json is not None
    assert again.json["replayed"] == first["jobs"]


def test_the_same_tag_from_two_hooks_is_one_job(client: FlaskClient) -> None:
    first, second = send(client, tag(delivery_id="a")), send(client, tag(delivery_id="b"))
    assert (first.status_code, second.status_code) == (202, 200), "the very same body is a redelivery"
    assert first.json is not None
    assert second.json is not None
    assert first.json["jobs"] == second.json["jobs"]


def test_a_form_body_is_read_as_json_is(client: FlaskClient) -> None:
    import hashlib
    import hmac
    from urllib.parse import urlencode

    body = urlencode({"payload": tag().body.decode()}).encode()
    signature = "sha256=" + hmac.new(GITHUB.encode(), body, hashlib.sha256).hexdigest()
    headers = {**tag().headers, "Content-Type": "application/x-www-form-urlencoded", "X-Hub-Signature-256": signature}
    assert client.post("/webhooks/github", data=body, headers=headers).status_code == 202


def test_a_gitlab_tag_is_accepted_by_its_token(client: FlaskClient, engine: Engine) -> None:
    payload = gitlab_push(repository="acme/a/b", ref="refs/tags/v2", commits=COMMITS[:1], after=sha("object"))
    assert send(client, sign_gitlab(payload, GITLAB, event="Tag Push Hook")).status_code == 202
    assert (rows(engine, jobs)[0].repository, rows(engine, jobs)[0].sha) == ("acme/a/b", sha("one"))


def test_an_old_gitlab_without_ids_is_deduplicated_by_what_happened(client: FlaskClient) -> None:
    sample = sign_gitlab(gitlab_push(repository="acme/a", ref="refs/heads/main", commits=COMMITS, before=sha("zero")), GITLAB)
    headers = {name: value for name, value in sample.headers.items() if name != "Idempotency-Key"}
    old = Sample("gitlab", headers, sample.body)
    assert [send(client, old).status_code, send(client, old).status_code] == [202, 200]


def test_the_second_of_two_active_secrets_is_good_too(client: FlaskClient) -> None:
    assert send(client, tag(secret="second-secret")).status_code == 202


def test_a_missing_signature_is_told_from_a_wrong_one_in_our_list_alone(client: FlaskClient, engine: Engine) -> None:
    sample = tag(delivery_id="bare")
    headers = {name: value for name, value in sample.headers.items() if name.lower() != "x-hub-signature-256"}
    bare = client.post("/webhooks/github", data=sample.body, headers=headers)
    wrong = send(client, tag(delivery_id="bad", secret="no secret at all"))
    assert (bare.status_code, bare.data) == (401, wrong.data)
    assert [row.reason for row in rows(engine, deliveries)] == ["signature_missing", "signature_wrong"]


@pytest.mark.parametrize(
    "spoiled",
    [{"X-Hub-Signature-256": "sha256=" + "0" * 64}, {"X-Hub-Signature-256": ""}, {"X-Hub-Signature-256": "sha1=abc"}],
)
@ON_SQLITE
def test_a_wrong_signature_is_401_and_remembered_without_its_body(
    client: FlaskClient, engine: Engine, spoiled: dict[str, str]
) -> None:
    assert_problem(send(client, tag(delivery_id="bad"), **spoiled), 401)
    stored = rows(engine, deliveries)[0]
    assert (stored.status, stored.reason, stored.delivery_id) == ("refused", "signature_wrong", "bad")
    assert rows(engine, payloads) == []
    assert send(client, tag(delivery_id="bad")).status_code == 202, "a refused id never counts for deduplication"


@ON_SQLITE
def test_missing_and_wrong_signatures_get_the_same_answer(client: FlaskClient) -> None:
    headers = {name: value for name, value in tag().headers.items() if name != "X-Hub-Signature-256"}
    missing = client.post("/webhooks/github", data=tag().body, headers=headers)
    wrong = send(client, tag(), **{"X-Hub-Signature-256": "sha256=" + "0" * 64})
    assert (missing.status_code, missing.data) == (wrong.status_code, wrong.data)


@ON_SQLITE
def test_an_unknown_and_an_unconfigured_provider_are_404(client: FlaskClient, engine: Engine, tmp_path: Path) -> None:
    assert_problem(client.post("/webhooks/gitea", data=b"{}", content_type="application/json"), 404)
    settings = Settings(database_url=engine.url.render_as_string(hide_password=False), webhook_secrets={"github": (GITHUB,)})
    sample = sign_gitlab({}, "")
    assert_problem(create_app(settings).test_client().post("/webhooks/gitlab", data=b"{}", headers=sample.headers), 404)


@ON_SQLITE
def test_a_body_over_the_limit_is_413(client: FlaskClient) -> None:
    body = b" " * (25 * 1024 * 1024 + 1)
    assert_problem(client.post("/webhooks/github", data=body, headers=dict(tag().headers)), 413)


@ON_SQLITE
def test_a_compressed_body_is_415(client: FlaskClient) -> None:
    sample = tag()
    headers = {**sample.headers, "Content-Encoding": "gzip"}
    assert_problem(client.post("/webhooks/github", data=gzip.compress(sample.body), headers=headers), 415)


@pytest.mark.parametrize("content_type", ["text/plain", "", "application/xml", "multipart/form-data; boundary=x"])
@ON_SQLITE
def test_another_content_type_is_415(client: FlaskClient, content_type: str) -> None:
    assert_problem(send(client, tag(), **{"Content-Type": content_type}), 415)


@ON_SQLITE
def test_gitlab_sends_no_forms(client: FlaskClient) -> None:
    sample = sign_gitlab({}, GITLAB)
    assert_problem(send(client, sample, **{"Content-Type": "application/x-www-form-urlencoded"}), 415)


@pytest.mark.parametrize(
    ("payload", "field"),
    [
        ([], "object"),
        ({}, "repository"),
        ({**github_push(repository="acme/shop", ref="refs/tags/v1", head=COMMITS[0]), "ref": 7}, "ref"),
        ({**github_push(repository="acme/shop", ref="refs/tags/v1", head=COMMITS[0]), "ref": "refs/tags/a..b"}, "ref"),
        ({**github_push(repository="acme/shop", ref="refs/tags/v1", head=COMMITS[0]), "after": "xyz"}, "after"),
        ({**github_push(repository="acme/shop", ref="refs/tags/v1", head=COMMITS[0]), "commits": "x"}, "commits"),
        (github_push(repository="../etc", ref="refs/tags/v1", head=COMMITS[0]), "repository.full_name"),
    ],
)
@ON_SQLITE
def test_a_wrong_shape_is_400_and_names_the_field(client: FlaskClient, payload: object, field: str) -> None:
    assert field in assert_problem(send(client, sign_github(payload, GITHUB)), 400)["detail"]


@pytest.mark.parametrize("body", [b"", b"{", b'{"a": NaN}', b"\xff\xfe", b"[" * 50_000, b"null", b'"x"'])
@ON_SQLITE
def test_what_is_not_a_json_object_is_400(client: FlaskClient, body: bytes) -> None:
    import hashlib
    import hmac

    headers = {**tag().headers, "X-Hub-Signature-256": "sha256=" + hmac.new(GITHUB.encode(), body, hashlib.sha256).hexdigest()}
    assert_problem(client.post("/webhooks/github", data=body, headers=headers), 400)


@pytest.mark.parametrize("header", ["X-GitHub-Event", "X-GitHub-Delivery"])
@ON_SQLITE
def test_a_missing_header_is_400_and_named(client: FlaskClient, header: str) -> None:
    headers = {name: value for name, value in tag().headers.items() if name != header}
    answer = client.post("/webhooks/github", data=tag().body, headers=headers)
    assert header in assert_problem(answer, 400)["detail"]


@pytest.mark.parametrize("delivery_id", ["", " ", "x" * 201, "sp ace", "naïve"])
@ON_SQLITE
def test_a_delivery_id_that_is_not_visible_ascii_is_400(client: FlaskClient, delivery_id: str) -> None:
    assert_problem(send(client, tag(), **{"X-GitHub-Delivery": delivery_id}), 400)


@ON_SQLITE
def test_opening_the_address_in_a_browser_tells_how_to_set_the_hook_up(client: FlaskClient) -> None:
    answer = client.get("/webhooks/github")
    assert "Add webhook" in assert_problem(answer, 405)["detail"]
    assert answer.headers["Allow"] == "POST"


@ON_SQLITE
def test_unknown_addresses_and_methods_are_problems_too(client: FlaskClient) -> None:
    assert_problem(client.get("/nowhere"), 404)
    assert_problem(client.delete("/webhooks/github"), 405)


def test_a_delivery_that_cannot_be_stored_is_503_with_retry_after(client: FlaskClient, engine: Engine) -> None:
    with engine.begin() as connection:
        connection.execute(sa.text("DROP TABLE payloads"))
    answer = send(client, tag())
    assert_problem(answer, 503)
    assert answer.headers["Retry-After"]
    with engine.begin() as connection:
        connection.execute(sa.text("DELETE FROM deliveries"))
        payloads.create(connection)


def test_readyz_tells_the_parts_apart_and_takes_deliveries_without_a_broker(client: FlaskClient) -> None:
    answer = client.get("/readyz")
    assert answer.status_code == 200
    report = json.loads(answer.data)
    assert (report["database"], report["schema"], report["status"]) == ("ok", "ok", "degraded")
    assert report["broker"].startswith("down")
    assert client.get("/healthz").json == {"status": "ok"}


@pytest.mark.parametrize("size", [1_000, 200_000, 1_500_000])
def test_a_body_of_any_size_is_stored_whole_by_the_way_it_takes(client: FlaskClient, engine: Engine, size: int) -> None:
    head = SampleCommit("x" * size)
    payload = github_push(repository="acme/shop", ref="refs/tags/v9", head=head, after=sha("object v9"))
    sample = sign_github(payload, GITHUB)
    assert send(client, sample).status_code == 202
    assert [row.body for row in rows(engine, payloads)] == [sample.body]

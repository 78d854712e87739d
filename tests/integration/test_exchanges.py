"""What an attempt sent and got is kept with it: whole enough to read, bounded, and never with the token."""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx2
import pytest
import sqlalchemy as sa
from sqlalchemy.engine import Engine

from shared.infra.http_client import Answer
from shared.ledger.job_transitions import BUDGET
from shared.ledger.retention import KEEP_PAYLOADS, Retention
from shared.ledger.tables import attempts
from shared.targets.http_exchanges import LONGEST_BODY, MOST, Exchanges
from tests.cli_run import call
from tests.target import Scripted, Target
from tests.worker_run import JSON, accept, history, make_due, row, rules, runner
from webhook.local.environment import free_port
from webhook.ops import serializers

TOKEN = "sntrys_s3cret/with+signs="


def exchanges(engine: Engine, job_id: str, attempt: int = 0) -> list[dict[str, Any]]:
    found: Any = serializers.attempt(history(engine, job_id)[attempt])["exchanges"]
    return found


def posts(engine: Engine, job_id: str, attempt: int = 0) -> list[dict[str, Any]]:
    """Without the look at the target's list of repositories, which a fresh process needs once."""
    return [one for one in exchanges(engine, job_id, attempt) if one["request"]["method"] == "POST"]


def test_a_success_keeps_request_and_answer(engine: Engine, http: httpx2.Client, target: Target) -> None:
    in_force = rules(target.url)
    job_id = accept(engine, in_force)
    runner(engine, http, in_force, TOKEN).run([job_id])
    (one,) = posts(engine, job_id)
    path, body, headers = target.posts[0]
    assert one["request"]["method"] == "POST"
    assert one["request"]["url"] == target.url + path
    assert one["request"]["headers"]["Authorization"] == "Bearer ***"
    assert one["request"]["headers"]["X-Request-Id"] == headers["X-Request-Id"] == row(engine, job_id).delivery_id
    assert json.loads(one["request"]["body"]) == body
    assert one["request"]["bytes"] == int(headers["Content-Length"])
    assert (one["response"]["status"], json.loads(one["response"]["body"])) == (201, target.releases["v1.0.0"])
    assert one["response"]["headers"]["content-type"] == "application/json"
    assert one["error"] is None
    assert one["milliseconds"] >= 0
    assert datetime.fromisoformat(one["at"]) <= datetime.now(UTC)


@pytest.mark.parametrize(
    "answer",
    [
        (400, {"X-Request-Id": f"r-{TOKEN}", "Set-Cookie": "session=private"}, f"you sent Bearer {TOKEN}".encode()),
        (503, {"Retry-After": "5"}, b"x" * (LONGEST_BODY - 4) + TOKEN.encode() * 3),
        (302, {"Location": f"https://login.test/?state={TOKEN}"}, b"sntrys_s3cret%2Fwith%2Bsigns%3D"),
        (201, {}, json.dumps({"echo": TOKEN}).encode()),
    ],
    ids=["echo", "across the cut", "redirect", "success"],
)
def test_no_answer_brings_the_token_into_the_ledger(
    engine: Engine, http: httpx2.Client, target: Target, answer: Scripted
) -> None:
    target.answers = [answer]
    in_force = rules(target.url)
    job_id = accept(engine, in_force)
    runner(engine, http, in_force, TOKEN).run([job_id])
    (one,) = posts(engine, job_id)
    said = json.dumps(exchanges(engine, job_id))
    assert one["response"]["status"] == answer[0]
    assert "sntrys" not in said
    assert "s3cret" not in said
    assert base64.b64encode(TOKEN.encode()).decode()[:10] not in said
    assert "private" not in said


def test_a_body_is_kept_in_part_and_its_size_is_told(engine: Engine, http: httpx2.Client, target: Target) -> None:
    target.answers = [(400, JSON, b"\x00\xff" * 400_000)]
    in_force = rules(target.url)
    job_id = accept(engine, in_force)
    runner(engine, http, in_force, TOKEN).run([job_id])
    (one,) = posts(engine, job_id)
    assert (one["response"]["bytes"], one["response"]["is_cut"]) == (800_000, True)
    assert len(one["response"]["body"]) == LONGEST_BODY
    assert "\x00" not in one["response"]["body"]
    with engine.begin() as connection:
        assert connection.execute(sa.select(sa.func.length(attempts.c.exchanges))).scalar_one() < 4 * LONGEST_BODY


def test_no_answer_at_all_is_told_as_well(engine: Engine, http: httpx2.Client) -> None:
    in_force = rules(f"http://127.0.0.1:{free_port()}")
    job_id = accept(engine, in_force)
    runner(engine, http, in_force, TOKEN).run([job_id])
    (one,) = posts(engine, job_id)
    assert one["response"] is None
    assert "could not be reached" in one["error"]


def test_each_call_of_an_attempt_is_there(engine: Engine, http: httpx2.Client, target: Target) -> None:
    target.answers = [(413, JSON, b"{}"), (413, JSON, b"{}")]
    in_force = rules(target.url, environment="production")
    job_id = accept(engine, in_force)
    runner(engine, http, in_force, TOKEN).run([job_id])
    looked, *found = exchanges(engine, job_id)
    assert looked["request"]["url"].endswith("/repos/?&per_page=100")
    assert looked["request"]["body"] is None
    assert [one["response"]["status"] for one in found] == [413, 413, 201, 201]
    assert found[-1]["request"]["url"].endswith("/deploys/")
    assert found[0]["request"]["bytes"] > found[1]["request"]["bytes"] > found[2]["request"]["bytes"]


def test_of_very_many_calls_the_first_and_the_last_stay() -> None:
    kept = Exchanges()
    for number in range(30):
        kept.add(
            method="GET",
            url=f"http://t/{number}",
            headers={},
            body=None,
            answer=Answer(200, {}, b"[]"),
            error=None,
            token="t0ken",
            at=datetime.now(UTC),
            milliseconds=1,
        )
    shown = kept.as_json()
    assert shown is not None
    found, left_out = shown["exchanges"], shown["left_out"]
    assert [one["request"]["url"] for one in found] == [f"http://t/{n}" for n in (0, 1, 2, 3, 26, 27, 28, 29)]
    assert (len(found), left_out) == (MOST, 30 - MOST)


def test_every_attempt_has_its_own_and_one_that_sent_nothing_has_none(
    engine: Engine, http: httpx2.Client, target: Target
) -> None:
    target.answers = [(503, JSON, b"{}")]
    in_force = rules(target.url)
    job_id = accept(engine, in_force)
    runner(engine, http, in_force, TOKEN).run([job_id])
    make_due(engine, job_id)
    runner(engine, http, in_force, TOKEN).run([job_id])
    assert [posts(engine, job_id, number)[0]["response"]["status"] for number in (0, 1)] == [503, 201]
    other = accept(engine, in_force, "v2.0.0")
    runner(engine, http, in_force, None).run([other])
    assert exchanges(engine, other) == []
    assert history(engine, other)[0].exchanges is None
    assert row(engine, job_id).attempts_allowed == BUDGET


def test_they_expire_with_the_payloads_and_stay_while_the_job_has_not_succeeded(
    engine: Engine, http: httpx2.Client, target: Target
) -> None:
    in_force = rules(target.url)
    done = accept(engine, in_force)
    runner(engine, http, in_force, TOKEN).run([done])
    target.answers = [(400, JSON, b"{}")]
    failed = accept(engine, in_force, "v2.0.0")
    runner(engine, http, in_force, TOKEN).run([failed])
    now = datetime.now(UTC)
    Retention(engine).step(now + KEEP_PAYLOADS - timedelta(hours=1))
    assert len(posts(engine, done)) == 1
    Retention(engine).step(now + KEEP_PAYLOADS + timedelta(hours=1))
    assert exchanges(engine, done) == []
    assert history(engine, done)[0].outcome == "succeeded"
    assert len(posts(engine, failed)) == 1


def test_the_command_line_shows_them_and_nothing_in_them_steers_the_terminal(
    engine: Engine, http: httpx2.Client, target: Target, tmp_path: Path
) -> None:
    target.answers = [(400, {}, b'{"projects": ["\x1b[2J no such project"]}')]
    in_force = rules(target.url)
    job_id = accept(engine, in_force)
    runner(engine, http, in_force, TOKEN).run([job_id])
    environ = {"DATABASE_URL": engine.url.render_as_string(hide_password=False), "DATA_DIR": str(tmp_path), "LANG": "C.UTF-8"}
    shown = call(environ, "jobs", "show", job_id).stdout
    assert "attempt 1" in shown
    assert f"POST {target.url}/api/0/organizations/acme/releases/: 400 after" in shown
    assert '> {"version":"v1.0.0"' in shown
    assert "< {" in shown
    assert "\\x1b[2J no such project" in shown
    assert "\x1b" not in shown
    assert "s3cret" not in shown
    assert call(environ, "jobs", "show", job_id, "--json")["history"][0]["exchanges"] == exchanges(engine, job_id)

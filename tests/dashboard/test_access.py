"""Who may see and do what: sign-in, roles, form tokens, cookies, the brake, and that the API never takes a session."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy.engine import Engine

from shared.ledger import audit
from shared.ledger.reporting_tables import wrong_tokens
from tests.dashboard import ledger
from tests.dashboard.ledger import OPERATOR, VIEWER, Filled
from tests.databases import ON_SQLITE
from webhook.app import create_app
from webhook.dashboard.sessions import COOKIE, LASTS_SECONDS, Sessions
from webhook.ops.guesses import Guesses


def acts(filled: Filled) -> list[str]:
    return [
        f"/jobs/{filled.failed}/replay",
        f"/jobs/{filled.queued}/cancel",
        f"/deliveries/{filled.delivery}/replay",
        "/jobs/replay",
        "/replays/1/cancel",
        "/targets/main/pause",
        "/targets/main/resume",
        "/targets/main/check",
    ]


def entries(engine: Engine) -> list[tuple[str, str, str]]:
    with engine.begin() as connection:
        return [(row.door, row.role, row.action) for row in audit.list_entries(connection, before=None, limit=50)]


def test_a_stranger_is_sent_to_the_sign_in_from_every_page(stranger: FlaskClient, filled: Filled) -> None:
    for address in ledger.addresses(filled):
        answer = stranger.get(address)
        assert answer.status_code == 302, address
        assert answer.location.startswith("/sign-in?next="), address
    for address in acts(filled):
        assert stranger.post(address).location.startswith("/sign-in?next="), address


def test_a_viewer_sees_every_page_and_no_button_that_acts(viewer: FlaskClient, filled: Filled) -> None:
    for address in ledger.addresses(filled):
        text = viewer.get(address).text
        assert text.count('method="post"') == 1, address  # sign out


def test_a_viewer_cannot_act(viewer: FlaskClient, filled: Filled, engine: Engine) -> None:
    for address in acts(filled):
        answer = ledger.act(viewer, address, status="failed")
        assert answer.status_code == 403, address
        assert "You may only look" in answer.text
    assert {action for _, _, action in entries(engine)} == {"sign_in"}


def test_a_form_without_its_token_or_with_another_sessions_changes_nothing(
    operator: FlaskClient, app: Flask, filled: Filled, engine: Engine
) -> None:
    other = app.test_client()
    ledger.sign_in(other)
    for address in acts(filled):
        for token in (None, "", "0" * 64, ledger.form_token(other.get("/targets"))):
            answer = operator.post(address, data={} if token is None else {"form_token": token, "status": "failed"})
            assert answer.status_code == 403, address
    assert {action for _, _, action in entries(engine)} == {"sign_in"}


def test_a_wrong_token_is_refused_and_written_down(stranger: FlaskClient, engine: Engine) -> None:
    answer = ledger.sign_in(stranger, "wrong")
    assert answer.status_code == 403
    assert "This is not the token" in answer.text
    assert stranger.get("/jobs").status_code == 302
    assert entries(engine) == [("dashboard", "-", "sign_in_refused")]


def test_guessing_is_slowed_down_even_for_the_right_token(stranger: FlaskClient) -> None:
    assert [ledger.sign_in(stranger, "wrong").status_code for _ in range(6)] == [403] * 5 + [429]
    refused = ledger.sign_in(stranger, OPERATOR)
    assert refused.status_code == 429
    assert 1 <= int(refused.headers["Retry-After"]) <= 60


def test_guessing_is_counted_for_all_processes_by_sender_and_for_a_minute(engine: Engine) -> None:
    moment = [datetime(2026, 11, 28, tzinfo=UTC)]
    one, other = (Guesses(engine, clock=lambda: moment[0]) for _ in range(2))
    for process in (one, other, one, other, one):
        assert process.wait("10.0.0.1") == 0
        process.note_wrong("10.0.0.1")
    assert [process.wait("10.0.0.1") for process in (one, other)] == [60, 60]
    assert other.wait("10.0.0.2") == 0
    moment[0] += timedelta(seconds=60)
    assert other.wait("10.0.0.1") == 0
    other.note_wrong("10.0.0.1")
    assert one.wait("10.0.0.1") == 0, "a new minute begins with none"


def test_wrong_tokens_from_many_addresses_do_not_fill_the_audit_log(app: Flask, engine: Engine) -> None:
    client = app.test_client()
    token = ledger.form_token(client.get("/sign-in"))
    data = {"token": "wrong", "form_token": token}
    statuses = {
        client.post("/sign-in", data=data, environ_base={"REMOTE_ADDR": f"2001:db8:0:{n:x}::1"}).status_code for n in range(80)
    }
    assert statuses == {403}
    with engine.begin() as connection:
        assert len(audit.list_entries(connection, before=None, limit=200)) == 60


def test_a_minute_later_wrong_tokens_are_written_down_again(engine: Engine) -> None:
    moment = [datetime(2026, 11, 28, tzinfo=UTC)]
    guesses = Guesses(engine, lines=2, clock=lambda: moment[0])
    assert [guesses.note_wrong(f"10.0.0.{n}") for n in range(4)] == [True, True, False, False]
    moment[0] += timedelta(seconds=60.5)
    assert guesses.note_wrong("10.0.0.9")
    with engine.begin() as connection:
        senders = connection.execute(sa.select(wrong_tokens.c.sender)).scalars()
        assert set(senders) == {"*", "10.0.0.9"}, "what is over is forgotten"


def test_a_flood_of_wrong_tokens_does_not_keep_the_database_busy(engine: Engine) -> None:
    guesses = Guesses(engine, writes=2)
    assert [guesses.note_wrong(f"10.0.0.{n}") for n in range(3)] == [True, True, False]


def test_wrong_bearer_tokens_are_limited_as_sign_ins_are(app: Flask, engine: Engine) -> None:
    def ask(token: str | None, address: str = "10.0.0.1", path: str = "/api/v1/stats") -> tuple[int, str | None]:
        headers = {} if token is None else {"Authorization": f"Bearer {token}"}
        answer = app.test_client().get(path, headers=headers, environ_base={"REMOTE_ADDR": address})
        return answer.status_code, answer.headers.get("Retry-After")

    assert [ask(None)[0] for _ in range(8)] == [401] * 8, "who offers none guesses nothing"
    assert [ask("wrong", path=path)[0] for path in ("/api/v1/stats", "/metrics", "/api/v1/none")] == [401] * 3
    assert [ask("wrong")[0] for _ in range(2)] == [401] * 2
    status, wait = ask(OPERATOR)
    assert (status, 0 < int(wait or 0) <= 60) == (429, True)
    assert ask(OPERATOR, path="/metrics")[0] == 429
    token = ledger.form_token(app.test_client().get("/sign-in"))
    assert token
    assert ask(OPERATOR, "10.0.0.2")[0] == 200, "from another address the right token always works"
    assert entries(engine) == [("api", "-", "token_refused")] * 5


def test_a_viewer_cannot_make_an_operators_cookie(engine: Engine) -> None:
    """Who knows OPS_READ_TOKEN can derive all that is derived from it."""
    known = Sessions(ledger.made_settings(engine, ops_token=VIEWER, ops_read_token=VIEWER))
    for own in (None, OPERATOR):
        server = Sessions(ledger.made_settings(engine, ops_token=own, ops_read_token=VIEWER))
        forged = known.write(known.open("operator"))
        assert server.read(forged) is None
        viewers = server.write(server.open("viewer"))
        found = server.read(viewers)
        assert found is not None
        assert found.role == "viewer"
        for signer in known._signers.values():
            assert (server.read(signer.dumps(["operator", "x"])) or server.open(None)).role != "operator"
    assert server.role_of(VIEWER) == "viewer"
    alone = Sessions(ledger.made_settings(engine, ops_token=None, ops_read_token=VIEWER))
    assert alone.role_of("") is None


def test_a_guess_at_the_token_is_slow_to_try_on_a_cookie(engine: Engine) -> None:
    """Every visitor has a cookie under the key, so guessing needs no server: what slows it down is how the key is made."""
    before = time.process_time()
    for n in range(3):
        Sessions(ledger.made_settings(engine, ops_token=f"guess-{n}-{before}"))
    assert time.process_time() - before > 0.03


@pytest.mark.parametrize(("scheme", "is_secure"), [(None, False), ("https", True), ("https, http", True), ("http", False)])
@ON_SQLITE
def test_the_cookie_is_closed_to_scripts_other_sites_and_plain_http_behind_https(
    stranger: FlaskClient, scheme: str | None, is_secure: bool
) -> None:
    headers = {"X-Forwarded-Proto": scheme} if scheme else {}
    cookie = stranger.get("/sign-in", headers=headers).headers["Set-Cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=Lax" in cookie
    assert f"Max-Age={LASTS_SECONDS}" in cookie
    assert ("Secure" in cookie) is is_secure


def test_signing_in_gives_a_new_session_and_signing_out_ends_it(stranger: FlaskClient) -> None:
    stranger.get("/sign-in")
    before = stranger.get_cookie(COOKIE)
    ledger.sign_in(stranger)
    after = stranger.get_cookie(COOKIE)
    assert before is not None
    assert after is not None
    assert before.value != after.value
    assert ledger.act(stranger, "/sign-out").status_code == 303
    assert stranger.get("/jobs").status_code == 302


def test_a_changed_cookie_a_foreign_one_and_an_old_one_are_nobody(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    mine, theirs = Sessions(ledger.made_settings(engine)), Sessions(ledger.made_settings(engine, ops_token="another"))
    cookie = mine.write(mine.open("operator"))
    assert mine.read(cookie) is not None
    assert theirs.read(cookie) is None
    changed = "b" if cookie[-10] == "a" else "a"  # not at the end, where base64 has bits that mean nothing
    assert mine.read(cookie[:-10] + changed + cookie[-9:]) is None
    assert mine.read(None) is None
    monkeypatch.setattr(time, "time", lambda: 4_000_000_000)
    assert mine.read(cookie) is None


@pytest.mark.parametrize("wanted", ["//evil.test/", "https://evil.test/", "/\\evil.test", "javascript:alert(1)", "/\nx"])
@ON_SQLITE
def test_signing_in_never_leads_to_another_host(stranger: FlaskClient, wanted: str) -> None:
    token = ledger.form_token(stranger.get("/sign-in"))
    answer = stranger.post("/sign-in", data={"token": OPERATOR, "form_token": token, "next": wanted})
    assert (answer.status_code, answer.location) == (303, "/")


def test_signing_in_leads_back_to_the_page_that_was_wanted(stranger: FlaskClient) -> None:
    wanted = stranger.get("/jobs?status=failed").location
    token = ledger.form_token(stranger.get(wanted))
    answer = stranger.post("/sign-in", data={"token": OPERATOR, "form_token": token, "next": "/jobs?status=failed"})
    assert answer.location == "/jobs?status=failed"


def test_a_session_opens_nothing_under_api_and_no_metrics(operator: FlaskClient, filled: Filled) -> None:
    for address in ("/api/v1/jobs", "/api/v1/stats", "/metrics"):
        assert operator.get(address).status_code == 401, address
    assert operator.post(f"/api/v1/jobs/{filled.failed}/replay").status_code == 401


def test_without_a_token_the_pages_say_how_to_set_one_and_nothing_else(engine: Engine, filled: Filled) -> None:
    app = create_app(ledger.made_settings(engine, ops_token=None, ops_read_token=None), ledger.rules())
    client = app.test_client()
    for address in [*ledger.addresses(filled), "/sign-in"]:
        text = client.get(address).text
        assert "OPS_TOKEN=" in text, address
        assert "acme" not in text, address
    assert client.post("/sign-in", data={"token": ""}).status_code == 200
    assert client.get_cookie(COOKIE) is None
    app.extensions["services"].engine.dispose()


def test_with_a_reading_token_alone_nobody_is_operator(engine: Engine) -> None:
    made: Any = Sessions(ledger.made_settings(engine, ops_token=None))
    assert (made.role_of(ledger.VIEWER), made.role_of(""), made.role_of(OPERATOR)) == ("viewer", None, None)

"""The pages and the API of the operators: who gets in, who may act, what a browser is told, what the audit log keeps."""

from __future__ import annotations

import hmac
import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy.engine import Engine
from werkzeug.routing import Rule

from shared.ledger import target_states
from shared.ledger.reporting_tables import audit
from shared.ledger.retention import Retention
from tests.dashboard import ledger
from tests.dashboard.ledger import OPERATOR, VIEWER
from tests.security.door import tag
from webhook.app import create_app
from webhook.dashboard.sessions import COOKIE


@pytest.fixture
def app(engine: Engine) -> Iterator[Flask]:
    made = create_app(ledger.made_settings(engine), ledger.rules())
    yield made
    made.extensions["services"].notifier.stop()
    made.extensions["services"].engine.dispose()


@pytest.fixture
def filled(engine: Engine) -> ledger.Filled:
    return ledger.fill(engine, ledger.rules())


def client_of(app: Flask, token: str | None = None) -> FlaskClient:
    client = app.test_client()
    if token is not None:
        assert ledger.sign_in(client, token).status_code == 303
    return client


def addresses_of(app: Flask, filled: ledger.Filled, method: str) -> list[str]:
    """An address for every route that takes this method."""
    values = {
        "job_id": filled.failed,
        "delivery_id": filled.delivery,
        "name": "main",
        "seq": "1",
        "replay": "1",
        "filename": "dashboard.css",
    }
    values |= {"provider": "github", "full_name": "acme/shop"}

    def fill(rule: Rule) -> str:
        return re.sub(r"<(?:[^:<>]+:)?([a-z_]+)>", lambda found: values[found[1]], rule.rule)

    return sorted(
        {fill(rule) for rule in app.url_map.iter_rules() if method in (rule.methods or ()) and "/webhooks/" not in rule.rule}
    )


def rows(engine: Engine) -> list[Any]:
    with engine.begin() as connection:
        return list(connection.execute(sa.select(audit).order_by(audit.c.seq)))


# --- signing in ------------------------------------------------------------------------------------------------------


def test_guessing_at_the_sign_in_is_stopped_for_a_whole_ipv6_network(app: Flask) -> None:
    def guess(token: str, address: str) -> int:
        client = app.test_client()
        place = {"REMOTE_ADDR": address}
        form = ledger.form_token(client.get("/sign-in", environ_base=place))
        return client.post("/sign-in", data={"token": token, "form_token": form}, environ_base=place).status_code

    assert [guess("wrong", f"2001:db8::{n}") for n in range(1, 7)] == [403] * 5 + [429]
    assert guess(OPERATOR, "2001:db8::abcd") == 429, "also the right token: whoever guesses must not learn that it was"
    assert guess(OPERATOR, "2001:db8:0:1::1") == 303
    assert guess(OPERATOR, "203.0.113.7") == 303


def test_a_session_that_was_planted_does_not_become_signed_in(app: Flask) -> None:
    """Session fixation: the cookie that a browser had before stays what it was."""
    attacker, victim = app.test_client(), app.test_client()
    attacker.get("/sign-in")
    planted = attacker.get_cookie(COOKIE)
    assert planted is not None
    victim.set_cookie(COOKIE, planted.value)
    assert ledger.sign_in(victim).status_code == 303
    signed_in = victim.get_cookie(COOKIE)
    assert signed_in is not None
    assert signed_in.value != planted.value
    assert attacker.get("/jobs").status_code == 302
    token = ledger.form_token(victim.get("/targets"))
    answer = attacker.post("/targets/main/pause", data={"form_token": token})
    assert (answer.status_code, answer.headers["Location"].partition("?")[0]) == (303, "/sign-in")
    with app.extensions["services"].engine.begin() as connection:
        assert target_states.find(connection) == {}, "nothing was paused"


def test_nobody_is_signed_in_by_a_foreign_form(app: Flask) -> None:
    """The sign-in has a form token too, tied to the browser: another site cannot sign a visitor in as somebody else."""
    client, other = app.test_client(), app.test_client()
    foreign = ledger.form_token(other.get("/sign-in"))
    client.get("/sign-in")
    for data in ({"token": OPERATOR}, {"token": OPERATOR, "form_token": foreign}):
        assert client.post("/sign-in", data=data).status_code == 403
        assert client.get("/jobs").status_code == 302
    assert app.test_client().post("/sign-in", data={"token": OPERATOR, "form_token": foreign}).status_code == 403


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_the_cookie_has_the_right_flags_before_and_after_signing_in(app: Flask, scheme: str) -> None:
    client = app.test_client()
    headers = {"X-Forwarded-Proto": scheme}
    before = client.get("/sign-in", headers=headers)
    data = {"token": OPERATOR, "form_token": ledger.form_token(before)}
    after = client.post("/sign-in", data=data, headers=headers)
    for answer in (before, after):
        (cookie,) = answer.headers.getlist("Set-Cookie")
        flags = {part.strip() for part in cookie.split(";")[1:]}
        assert {"HttpOnly", "SameSite=Lax", "Path=/"} <= flags
        assert ("Secure" in flags) is (scheme == "https")
        assert not any(flag.startswith("Domain") for flag in flags)


# --- every route -----------------------------------------------------------------------------------------------------


def test_there_is_no_open_route_but_those_that_are_meant_to_be(app: Flask, filled: ledger.Filled) -> None:
    client, opened = app.test_client(), set()
    for address in addresses_of(app, filled, "GET"):
        answer = client.get(address)
        answer.close()
        if answer.status_code not in (302, 401):
            opened.add(address)
        else:
            assert "acme" not in answer.text
    meant = {
        "/healthz",
        "/readyz",
        "/openapi.json",
        "/reference",
        "/reference/problems",
        "/sign-in",
        "/dashboard-static/dashboard.css",
    }
    assert opened <= meant
    assert {"/healthz", "/readyz", "/sign-in"} <= opened


_ODD = ("99999999999999999999", "9" * 400, "9223372036854775808", "-1", "0", "1.5", "%EF%BC%91", "%ED%A0%80", "%FF", "%00")


@pytest.mark.parametrize("odd", _ODD)
def test_no_odd_number_or_name_is_a_fault_at_any_route(app: Flask, odd: str) -> None:
    client, bearer = client_of(app, OPERATOR), {"Authorization": f"Bearer {OPERATOR}"}
    for rule in app.url_map.iter_rules():
        for method in {"GET", "POST"} & (rule.methods or set()):
            for address in (
                re.sub(r"<[^<>]+>", odd, rule.rule),
                f"{re.sub(r'<[^<>]+>', '1', rule.rule)}?cursor={odd}&since={odd}",
            ):
                answer = client.open(address, method=method, headers=bearer, data=b"{}" if method == "POST" else None)
                answer.close()
                assert answer.status_code < 500 or answer.status_code == 503, (method, address)


def test_a_lone_surrogate_in_a_payload_is_shown_on_every_page_of_its_delivery(app: Flask, engine: Engine) -> None:
    sample = tag(delivery_id="odd", secret="s")
    body = json.dumps({**json.loads(sample.body), "odd": "\ud800", "\udfff": ["\ude00"]}).encode()
    signature = "sha256=" + hmac.new(b"s", body, "sha256").hexdigest()
    headers = {**sample.headers, "X-Hub-Signature-256": signature}
    client, bearer = client_of(app, OPERATOR), {"Authorization": f"Bearer {OPERATOR}"}
    answer = client.post("/webhooks/github", data=body, headers=headers)
    assert answer.status_code in (200, 202)
    for address in ("/deliveries/odd", "/rules/try?delivery=odd", "/deliveries", "/api/v1/deliveries/odd"):
        shown = client.get(address, headers=bearer if "/api/" in address else {})
        assert shown.status_code == 200, address
    assert "\\udfff" in client.get("/deliveries/odd").text, "written out"


def test_a_reader_cannot_act_at_any_route(app: Flask, engine: Engine, filled: ledger.Filled) -> None:
    viewer = client_of(app, VIEWER)
    token = ledger.form_token(viewer.get("/targets"))
    bearer = {"Authorization": f"Bearer {VIEWER}"}
    acts = [address for address in addresses_of(app, filled, "POST") if address not in ("/sign-in", "/sign-out")]
    assert len(acts) >= 13
    for address in acts:
        answer = viewer.post(address, data={"form_token": token, "status": "failed"}, headers=bearer)
        assert answer.status_code == 403, address
    for method in ("PUT", "PATCH", "DELETE"):
        for address in acts:
            assert viewer.open(address, method=method, headers=bearer).status_code in (403, 405, 429), address
    assert {row.action for row in rows(engine)} == {"sign_in"}


def test_a_post_without_the_form_token_acts_at_no_page(app: Flask, engine: Engine, filled: ledger.Filled) -> None:
    operator = client_of(app, OPERATOR)
    for address in addresses_of(app, filled, "POST"):
        for data in ({}, {"form_token": ""}, {"form_token": "0" * 64}):
            wanted = (401, 429) if address.startswith("/api") else (403,)
            assert operator.post(address, data=data).status_code in wanted, address
    assert {row.action for row in rows(engine)} == {"sign_in"}


# --- what a browser is told ------------------------------------------------------------------------------------------


def test_the_policy_is_strict_on_every_page_also_on_those_that_say_no(app: Flask, filled: ledger.Filled) -> None:
    operator, stranger, viewer = client_of(app, OPERATOR), app.test_client(), client_of(app, VIEWER)
    answers = [operator.get(address) for address in ledger.addresses(filled)]
    answers += [
        operator.get("/jobs/nothing"),
        operator.get("/jobs?status=odd"),
        stranger.get("/sign-in"),
        stranger.get("/jobs"),
    ]
    answers += [
        stranger.post("/jobs/replay"),
        viewer.post("/targets/main/pause"),
        operator.get("/dashboard-static/dashboard.js"),
    ]
    for answer in answers:
        answer.close()
        policy = dict(part.strip().split(" ", 1) for part in answer.headers["Content-Security-Policy"].split(";"))
        assert policy["default-src"] in ("'self'", "'none'")
        assert policy["base-uri"] == "'none'"
        assert policy["form-action"] == "'self'"
        assert policy["frame-ancestors"] == "'none'"
        assert not any(word in value for value in policy.values() for word in ("unsafe", "*", "http", "data:"))
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert answer.headers["Referrer-Policy"] == "same-origin"


def test_no_page_holds_a_script_or_a_style_of_its_own(app: Flask, filled: ledger.Filled) -> None:
    """What the policy would stop is not there in the first place."""
    operator = client_of(app, OPERATOR)
    for address in ledger.addresses(filled):
        text = operator.get(address).text
        assert not re.search(r"<script(?![^>]*\bsrc=)", text), address
        assert not re.search(r"<style|\sstyle=|\son[a-z]+=|javascript:", text), address
        assert not re.search(r"(?:src|href|action)=\"(?:https?:)?//(?!127\.0\.0\.1)", text), address


def test_pages_are_kept_by_no_cache_and_answers_of_the_api_by_no_browser_of_another_site(
    app: Flask, filled: ledger.Filled
) -> None:
    operator = client_of(app, OPERATOR)
    for address in ledger.addresses(filled):
        assert operator.get(address).headers["Cache-Control"] == "no-store"
    headers = {"Authorization": f"Bearer {OPERATOR}", "Origin": "https://evil.test"}
    for address in ("/api/v1/jobs", "/api/v1/nothing", "/metrics"):
        answer = operator.get(address, headers=headers)
        assert answer.headers["Cache-Control"] == "no-store"
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert not [name for name, _ in answer.headers if name.lower().startswith("access-control")]


# --- the audit log ---------------------------------------------------------------------------------------------------


def test_nothing_in_the_product_changes_or_deletes_a_line_of_the_audit_log(
    app: Flask, engine: Engine, filled: ledger.Filled
) -> None:
    """Every page and call that acts is used, then the ledger is cleaned as after ten years: the lines stand."""
    statements: list[str] = []
    for one in (engine, app.extensions["services"].engine):
        sa.event.listen(one, "before_cursor_execute", lambda *given: statements.append(given[2]))
    operator = client_of(app, OPERATOR)
    bearer = {"Authorization": f"Bearer {OPERATOR}"}
    for address in addresses_of(app, filled, "POST"):
        if address.startswith("/api"):
            operator.post(
                address, headers=bearer, json={"filter": {"status": "cancelled"}} if address.endswith("jobs/replay") else {}
            )
        elif address not in ("/sign-in", "/sign-out"):
            ledger.act(operator, address, status="failed")
    for address in addresses_of(app, filled, "GET"):
        operator.get(address).close()
    before = rows(engine)
    assert len(before) >= 6
    keeper = Retention(engine)
    for days in (100, 1_000, 3_650):
        keeper.step(datetime.now(UTC) + timedelta(days=days))
    ledger.act(operator, "/sign-out")
    assert rows(engine)[: len(before)] == before
    touching = {statement.split()[0] for statement in statements if re.search(r"\baudit\b", statement)}
    assert "INSERT" in touching
    assert "DELETE" not in touching
    updates = [statement for statement in statements if re.match(r"UPDATE audit", statement)]
    assert all(re.fullmatch(r"UPDATE audit SET detail=\S+ WHERE audit\.seq = \S+", text) for text in updates), updates


def test_each_line_tells_who_did_what_from_where(app: Flask, engine: Engine, filled: ledger.Filled) -> None:
    operator = client_of(app, OPERATOR)
    ledger.act(operator, "/targets/main/pause")
    last = rows(engine)[-1]
    assert (last.door, last.role, last.action, last.subject, last.address) == (
        "dashboard",
        "operator",
        "target_pause",
        "main",
        "127.0.0.1",
    )

"""The playground: explain a payload and what-if over stored deliveries, as forms; nothing is written, nothing is lost."""

from __future__ import annotations

import html
import json
import re
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from flask.testing import FlaskClient
from sqlalchemy.engine import Engine
from werkzeug.test import TestResponse

from shared.config import rules_file
from shared.domain.rules import decide
from shared.ledger.reporting_tables import audit
from shared.ledger.tables import attempts, deliveries, jobs
from tests.builders import payload, push
from tests.builders import settings as plain_settings
from tests.dashboard import ledger
from tests.dashboard.ledger import HOSTILE, Filled
from tests.dashboard.outline import Outline
from tests.databases import ON_SQLITE
from webhook.app import create_app
from webhook.dashboard.playground import STARTER
from webhook.ops.config_preview import read_config

CONFIG = """[targets.main]
url = "https://sentry.example.com"
org = "acme"
token_env = "T"
[[rules]]
name = "renamed"
repo = "github:acme/*"
refs = ["refs/tags/*"]
target = "main"
projects = ["app"]
release = "shop@{tag}"
environment = "production"
"""


def ask(client: FlaskClient, what: str = "explain", **fields: str) -> TestResponse:
    shown = client.get("/rules/try")
    data = {"form_token": ledger.form_token(shown), "ask": what, "provider": "github", "event": "push", "last": "500", **fields}
    return client.post("/rules/try", data=as_form(data), content_type="multipart/form-data; boundary=end")


def as_form(fields: dict[str, str]) -> bytes:
    """As a browser sends it; the test client's own way leaves a spool file open for long ones."""
    parts = [f'--end\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n' for name, value in fields.items()]
    return "".join([*parts, "--end--\r\n"]).encode()


def body_for(text: str, target: str) -> Any:
    found = re.search(rf'aria-label="Body for {target}"><code>(.*?)</code>', text, re.DOTALL)
    assert found is not None, text
    return json.loads(html.unescape(found[1]))


def counted(engine: Engine) -> list[int]:
    with engine.connect() as connection:
        tables = (deliveries, jobs, attempts, audit)
        return [connection.execute(sa.select(sa.func.count()).select_from(table)).scalar_one() for table in tables]


def test_a_payload_is_explained_down_to_the_body_under_the_edited_rules(engine: Engine, operator: FlaskClient) -> None:
    before = counted(engine)
    answer = ask(operator, config=CONFIG, payload=json.dumps(payload("github", "push__annotated_tag")))
    assert answer.status_code == 200
    text = answer.text
    assert "accepted" in text
    assert "<strong>renamed</strong>" in text or ">renamed<" in text
    assert "POST https://sentry.example.com/api/0/organizations/acme/releases/" in text
    assert "then a deploy to <strong>production</strong>" in text
    body = body_for(text, "main")
    assert body["version"].startswith("shop@")
    assert body["projects"] == ["app"]
    assert counted(engine) == before
    outline = Outline(text)
    assert (outline.open, outline.suspects) == ([], [])
    assert all(control.get("id") in outline.labels for control in outline.controls)


def test_without_a_config_the_rules_in_force_decide(operator: FlaskClient) -> None:
    text = ask(operator, config=" ", payload=json.dumps(payload("github", "push__annotated_tag"))).text
    assert 'row">never<' in text
    assert 'row">tags<' in text


def test_an_ignored_payload_says_why(operator: FlaskClient) -> None:
    text = ask(operator, config=CONFIG, event="ping", payload='{"zen": "x"}').text
    assert "ignored" in text
    assert "<code>ping</code>" in text


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"config": "[[rules"}, "Config is not TOML"),
        ({"config": '[[rules]]\nrepo = "acme"\n'}, "must be provider:full name"),
        ({"payload": "{"}, "not JSON"),
        ({"payload": ""}, "paste a payload"),
        ({"payload": "[]"}, "must be a JSON object"),
        ({"provider": "svn", "payload": "{}"}, "svn"),
        ({"ask": "what-if", "last": "0"}, "between 1 and 1000"),
        ({"ask": "what-if", "last": "x"}, "between 1 and 1000"),
        ({"ask": "what-if", "last": "1001"}, "between 1 and 1000"),
    ],
)
@ON_SQLITE
def test_a_fault_is_told_and_what_was_typed_is_kept(operator: FlaskClient, fields: dict[str, str], said: str) -> None:
    given = {"config": CONFIG, "payload": '{"mine": 1}', **fields}
    answer = ask(operator, given.pop("ask", "explain"), **given)
    assert answer.status_code == 200
    assert said.lower() in html.unescape(answer.text).lower()
    assert 'role="alert"' in answer.text
    assert html.escape(given["config"], quote=False)[:40].split("\n")[0] in html.unescape(answer.text)


def test_what_if_lists_the_deliveries_whose_verdict_would_change(engine: Engine, operator: FlaskClient, filled: Filled) -> None:
    before = counted(engine)
    text = ask(operator, "what-if", config=CONFIG).text
    assert "<strong>5 of 6 deliveries</strong> would have another verdict" in text
    assert "v1.1.0 at main (app)" in text
    assert "shop@v1.1.0 at main (app; deploy to production)" in text
    assert f"/deliveries/{filled.delivery}" in text
    assert "1 of 1 deliveries" not in ask(operator, "what-if", config=CONFIG, last="1").text, (
        "the newest one is ignored by both"
    )
    assert counted(engine) == before
    assert Outline(text).open == []


def test_a_stored_delivery_fills_the_form(operator: FlaskClient, filled: Filled) -> None:
    assert f"/rules/try?delivery={filled.delivery}" in operator.get(f"/deliveries/{filled.delivery}").text
    text = operator.get(f"/rules/try?delivery={filled.delivery}&provider=github").text
    shown = re.search(r'<textarea id="payload"[^>]*>\s*(.*?)</textarea>', text, re.DOTALL)
    assert shown is not None
    loaded = html.unescape(shown[1])
    assert json.loads(loaded)["ref"] == "refs/tags/v1.1.0"
    assert "v1.1.0" in ask(operator, config=CONFIG, payload=loaded).text
    assert "there is no delivery" in operator.get("/rules/try?delivery=none").text.lower()
    assert "is kept any more" in operator.get("/rules/try?delivery=d-refused").text


def test_the_form_begins_with_todays_file(engine: Engine, tmp_path: Path) -> None:
    file = tmp_path / "tagship.toml"
    file.write_text(CONFIG)
    app = create_app(ledger.made_settings(engine, config_path=file, environ={"T": "secret-of-the-target"}))
    client = app.test_client()
    ledger.sign_in(client)
    text = client.get("/rules/try").text
    assert "release = &#34;shop@{tag}&#34;" in text
    assert "secret-of-the-target" not in text
    app.extensions["services"].notifier.stop()
    app.extensions["services"].engine.dispose()


def test_the_starter_is_the_default_rule() -> None:
    known = plain_settings(sentry_projects=("app",))
    for ref in ("refs/tags/v1", "refs/heads/main", "refs/heads/topic"):
        mine, default = decide(push(ref), read_config(STARTER, known)), decide(push(ref), rules_file.default_rules(known))
        assert mine.work == default.work
        assert mine.reason == default.reason


def test_hostile_texts_stay_text(engine: Engine, operator: FlaskClient) -> None:
    ledger.fill(engine, ledger.rules(), message=HOSTILE)
    evil = f"</textarea>{HOSTILE}"
    for answer in (
        ask(operator, config=CONFIG, payload=json.dumps(payload("github", "push__annotated_tag", ref=f"refs/tags/{HOSTILE}"))),
        ask(operator, config=evil, payload=evil, event=evil, provider="github"),
        ask(operator, "what-if", config=CONFIG, last=evil),
    ):
        assert "<img" not in answer.text
        assert Outline(answer.text).suspects == []


def test_a_payload_too_long_for_a_form_is_a_page_that_says_so(operator: FlaskClient) -> None:
    assert ask(operator, config=CONFIG, payload=json.dumps({"x": "y" * 700_000})).status_code == 200
    answer = ask(operator, config=CONFIG, payload="x" * 1_100_000)
    assert answer.status_code == 413
    assert "Too long for a form" in answer.text


def test_a_viewer_may_not_try(viewer: FlaskClient) -> None:
    text = viewer.get("/rules/try").text
    assert "You may only look" in text
    assert "<textarea" not in text
    token = ledger.form_token(viewer.get("/rules"))
    assert viewer.post("/rules/try", data={"form_token": token, "ask": "explain"}).status_code == 403
    assert viewer.post("/rules/try", data={"ask": "explain"}).status_code == 403

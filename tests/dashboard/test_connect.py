"""Connect a repository: what to put into the provider's form, and a secret that only an operator sees, and on request."""

from __future__ import annotations

import sqlalchemy as sa
from flask.testing import FlaskClient
from markupsafe import escape
from sqlalchemy.engine import Engine

from shared.domain.rules import Rules, Source
from shared.forges import PROVIDERS
from shared.ledger.reporting_tables import audit
from tests.dashboard import ledger
from tests.dashboard.ledger import OPERATOR, VIEWER, form_token, sign_in
from webhook.app import create_app


def made(engine: Engine, *, secrets: dict[str, tuple[str, ...]], sources: tuple[Source, ...] = ()) -> FlaskClient:
    rules = ledger.rules()
    settings = ledger.made_settings(engine, webhook_secrets=secrets, environ={"T": "t", "BLUE": "the-blue-one"})
    return create_app(settings, Rules(rules.rules, rules.targets, sources=sources)).test_client()


def entries(engine: Engine) -> list[tuple[str, str | None, object]]:
    with engine.begin() as connection:
        rows = connection.execute(sa.select(audit.c.action, audit.c.subject, audit.c.detail).order_by(audit.c.seq)).all()
    return [(row.action, row.subject, row.detail) for row in rows if row.action != "sign_in"]


def test_the_page_names_url_and_every_field_and_no_secret(engine: Engine) -> None:
    client = made(engine, secrets={"github": ("old-one", "new-one"), "gitlab": ("gitlab-one",)})
    sign_in(client, OPERATOR)
    shown = client.get("/connect").text
    for provider in PROVIDERS.values():
        assert f"Waiting for the first webhook of {provider.hint.partition(':')[0]}" in shown
        for field, value in provider.hook_form:
            assert str(escape(field)) in shown
            assert str(escape(value)) in shown or value in ("{url}", "{secret}")
    assert "http://localhost/webhooks/github" in shown
    assert not any(secret in shown for secret in ("old-one", "new-one", "gitlab-one"))
    assert "an address of this machine alone" in shown
    assert entries(engine) == []


def test_an_operator_sees_a_secret_on_request_with_an_audit_line_and_nothing_keeps_it(engine: Engine) -> None:
    blue = Source(name="blue", provider="gitlab", secret_env="BLUE", repositories=("blue/*",))
    client = made(engine, secrets={"github": ("old-one", "new-one"), "gitlab": ("gitlab-one",)}, sources=(blue,))
    sign_in(client, OPERATOR)
    token = form_token(client.get("/connect"))
    answer = client.post("/connect/github/secret", data={"form_token": token})
    assert answer.headers["Cache-Control"] == "no-store"
    assert "new-one" in answer.text
    assert "old-one" not in answer.text, "the newest of several is the one to give out"
    answer = client.post("/connect/gitlab/secret", data={"form_token": token, "source": "blue"})
    assert "the-blue-one" in answer.text
    assert "gitlab-one" not in answer.text
    assert entries(engine) == [
        ("secret_show", "github", {"source": None, "variable": "GITHUB_WEBHOOK_SECRET"}),
        ("secret_show", "gitlab", {"source": "blue", "variable": "BLUE"}),
    ]
    assert "new-one" not in client.get("/audit").text
    for address, source in (
        ("/connect/gitea/secret", ""),
        ("/connect/gitlab/secret", "red"),
        ("/connect/github/secret", "blue"),
    ):
        assert client.post(address, data={"form_token": token, "source": source}).status_code == 404


def test_a_viewer_or_a_form_without_token_sees_none_and_leaves_no_line(engine: Engine) -> None:
    client = made(engine, secrets={"github": ("the-one",)})
    sign_in(client, VIEWER)
    token = form_token(client.get("/connect"))
    assert client.post("/connect/github/secret", data={"form_token": token}).status_code == 403
    assert "An operator can show the secret" in client.get("/connect").text
    assert "This provider is switched off: set <code>GITLAB_WEBHOOK_SECRET</code>" in client.get("/connect").text
    other = made(engine, secrets={"github": ("the-one",)})
    sign_in(other, OPERATOR)
    assert other.post("/connect/github/secret", data={}).status_code == 403
    assert other.get("/connect/github/secret").status_code == 405
    assert entries(engine) == []


def test_what_came_is_shown_with_what_to_do_about_it(engine: Engine) -> None:
    ledger.accept(engine, ledger.rules(), name="v9.9.9")
    client = made(engine, secrets={"github": ("s",)})
    sign_in(client, VIEWER)
    assert "acme/shop v9.9.9" in client.get("/connect").text

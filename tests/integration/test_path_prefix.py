"""Below a path of the host: every address that the apps make begins with it, and no cookie goes elsewhere."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from releases.asgi import create as create_releases
from releases.bootstrap import open_database, seed
from shared.config.settings import from_env
from shared.ledger.tables import SCHEMA
from tests.migrated import migrate
from webhook.app import create_app

PREFIX = {"X-Forwarded-Prefix": "/tagship", "X-Forwarded-Proto": "https"}
ADDRESS = re.compile(r'(?:href|src|action)="(/[^"]*)"')


def environ(folder: Path, **more: str) -> dict[str, str]:
    return {
        "DATA_DIR": str(folder),
        "GITHUB_WEBHOOK_SECRET": "gh-secret",
        "OPS_TOKEN": "op-token",
        "SENTRY_AUTH_TOKEN": "made-up-token",
        "TRUSTED_PROXIES": "10.0.0.5",
        **more,
    }


@pytest.fixture(params=["header", "setting"])
def visited(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[FlaskClient, dict[str, Any]]]:
    """A client, and what each of its requests brings along: the proxy's headers, or nothing where a setting says it."""
    is_header = request.param == "header"
    more = {} if is_header else {"PUBLIC_URL": "https://host.example.com/tagship"}
    app: Flask = create_app(from_env(environ(tmp_path, **more)))
    migrate(app.extensions["services"].engine, SCHEMA)
    extra = {"headers": PREFIX, "environ_overrides": {"REMOTE_ADDR": "10.0.0.5"}} if is_header else {}
    yield app.test_client(), extra
    app.extensions["services"].notifier.stop(0.1)
    app.extensions["services"].engine.dispose()


def test_pages_assets_redirects_and_the_cookie_stay_below_the_prefix(visited: tuple[FlaskClient, dict[str, Any]]) -> None:
    client, extra = visited
    sent_on = client.get("/jobs?status=failed", **extra)
    assert sent_on.location == "/tagship/sign-in?next=/tagship/jobs?status%3Dfailed"
    form = client.get("/tagship/sign-in?next=/tagship/jobs?status%3Dfailed", **extra)
    token = form.text.partition('name="form_token" value="')[2].partition('"')[0]
    data = {"token": "op-token", "form_token": token, "next": "/tagship/jobs?status=failed"}
    signed_in = client.post("/tagship/sign-in", data=data, **extra)
    assert (signed_in.status_code, signed_in.location) == (303, "/tagship/jobs?status=failed")
    assert "; Path=/tagship;" in f"{signed_in.headers['Set-Cookie']};"
    for address in ("/", "/jobs", "/deliveries", "/releases", "/targets", "/repositories", "/rules", "/rules/try", "/audit"):
        page = client.get(f"/tagship{address}", **extra)
        assert page.status_code == 200, address
        found = ADDRESS.findall(page.text)
        assert found, address
        assert [one for one in found if not one.startswith("/tagship/")] == [], address
    with client.get("/tagship/dashboard-static/dashboard.css", **extra) as sheet:
        assert (sheet.status_code, sheet.mimetype) == (200, "text/css")


def test_nobody_is_sent_to_another_app_of_the_host_after_signing_in(visited: tuple[FlaskClient, dict[str, Any]]) -> None:
    client, extra = visited
    form = client.get("/sign-in?next=/other-app/", **extra)
    assert 'value="/other-app/' not in form.text


def test_openapi_names_the_server(visited: tuple[FlaskClient, dict[str, Any]]) -> None:
    client, extra = visited
    (server,) = client.get("/openapi.json", **extra).json["servers"]
    assert server["url"] == ("/tagship" if extra else "https://host.example.com/tagship")


def test_requests_with_and_without_the_prefix_arrive(visited: tuple[FlaskClient, dict[str, Any]]) -> None:
    client, extra = visited
    for path in ("/healthz", "/tagship/healthz"):
        assert client.get(path, **extra).json == {"status": "ok"}
    assert client.post("/tagship/webhooks/github", **extra).status_code in (400, 401, 415)


def test_the_endpoints_pages_and_links_stay_below_the_prefix(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    wanted = environ(tmp_path, RELEASES_PUBLIC_URL="https://host.example.com/releases")
    for name, value in wanted.items():
        monkeypatch.setenv(name, value)
    settings = from_env(wanted)
    seed(open_database(settings), settings)
    app: Any = create_releases()._app
    try:
        client = app.test_client()
        page = client.get("/organizations/local/releases/")
        assert page.status_code == 200
        assert {one.startswith("/releases/") for one in ADDRESS.findall(page.text)} == {True}
        bearer = {"Authorization": "Bearer made-up-token"}
        listed = client.get("/releases/api/0/organizations/local/releases/", headers=bearer)
        assert listed.status_code == 200
        assert "/releases/api/0/organizations/local/releases/" in listed.headers["Link"]
        assert client.get("/api/0").location == "/releases/api/0/"
        old = {"User-Agent": "sentry-cli/1.60.0", **bearer}
        assert (
            client.get("/api/0/organizations/local/chunk-upload/", headers=old)
            .json["url"]
            .endswith("/releases/api/0/organizations/local/chunk-upload/")
        )
    finally:
        app.stop()

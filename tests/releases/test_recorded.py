"""What a real Sentry 23.7.1 answered, replayed: status, headers and body of each request are the same here."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy.engine import Engine
from werkzeug.test import TestResponse

from releases import bootstrap
from releases.app import ReleasesApp, create_app
from releases.tenancy import credentials, organizations
from releases.tenancy.credentials import NewCredential
from shared.config.settings import from_env
from tests.releases.caller import header
from tests.releases.conftest import TOKEN, own_copy
from tests.releases.recorded.record import ANSWERS, filled
from tests.releases.recorded.sessions import LIST, SURROUNDING, Request, sessions
from tests.releases.recorded.shape import headers, read_answers, shape

BASE = "http://sentry.test"
SESSIONS = sessions()
ANSWERED = read_answers(ANSWERS.read_text(encoding="utf-8"))
_FIRST_DEPLOY = Request("POST", f"{LIST}first/deploys/", {"environment": "production"})
_ALL = ("project:admin", "project:releases", "org:read", "project:read", "project:write")
_MADE: list[tuple[str, Any, tuple[str, ...]]] = [
    ("token", "token", _ALL),
    ("read", "token", ("project:read", "org:read")),
    ("none", "token", ("event:read",)),
    ("key", "key", _ALL),
    ("key_read", "key", ("project:read",)),
]


@pytest.fixture(scope="module")
def world(template: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[ReleasesApp, dict[str, str]]]:
    """An app with the organizations, projects and credentials of the recorded one; (app, Authorization by name)."""
    engine: Engine = own_copy(template, tmp_path_factory.mktemp("recorded"))
    bootstrap.seed(engine, from_env({"SENTRY_ORG": "acme", "SENTRY_PROJECT": "web,api", "SENTRY_AUTH_TOKEN": TOKEN}))
    app = create_app(engine)
    now = app.extensions["releases"].clock()
    who: dict[str, str] = {}
    with engine.begin() as connection:
        other, _ = organizations.ensure_organization(connection, "other", now)
        organizations.ensure_project(connection, other, "foreign", now)
        user = organizations.ensure_member(connection, 1, "root@acme.test", now)
        organizations.ensure_repository(connection, 1, "acme/web", None, None, now)
        for name, kind, scopes in _MADE:
            new = NewCredential(kind=kind, scopes=scopes, user_id=user if kind == "token" else None)
            who[name] = header(credentials.create(connection, 1, new, now)[1], kind)
    world = app, who
    for request in (Request("POST", LIST, {"version": "first", "projects": ["web", "api"]}), _FIRST_DEPLOY):
        assert ask(world, request, "").status_code == 201
    yield world
    app.stop()


def ask(world: tuple[ReleasesApp, dict[str, str]], request: Request, version: str) -> TestResponse:
    app, who = world
    sent = {"Accept": "*/*", "User-Agent": ""} | ({"Authorization": who[request.who]} if request.who is not None else {})
    body = filled(request.body, version)
    if body is not None:
        body = body if isinstance(body, bytes) else json.dumps(body).encode()
        sent["Content-Type"] = "application/json"
    path = filled(request.path, version)
    return app.test_client().open(path, method=request.method, base_url=BASE, data=body, headers={**sent, **request.headers})


def test_every_session_was_recorded_and_no_other() -> None:
    assert {name: len(found) for name, found in SESSIONS.items()} == {name: len(found) for name, found in ANSWERED.items()}


@pytest.mark.parametrize("name", SESSIONS)
def test_a_session_is_answered_as_it_was_recorded(world: Any, name: str) -> None:
    version, is_surrounding = f"v{list(SESSIONS).index(name)}q", name.startswith(SURROUNDING)
    for request, (status, wanted, body) in zip(SESSIONS[name], ANSWERED[name], strict=True):
        answer = ask(world, request, version)
        found = shape(answer.data.replace(BASE.encode(), b"BASE"), version, is_surrounding=is_surrounding)
        assert (answer.status_code, found) == (status, body), request
        assert headers(answer.headers, is_surrounding=is_surrounding) == wanted, request

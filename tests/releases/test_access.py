"""Who may do what (1.9), and the headers of every answer (1.10)."""

from __future__ import annotations

import base64
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.engine import Engine

from releases.tables.tenants import credentials, users
from releases.tenancy.credentials import revoke
from tests.releases.caller import Caller
from tests.releases.conftest import TOKEN

NOT_PROVIDED = "Authentication credentials were not provided."


def basic(text: str) -> str:
    return "Basic " + base64.b64encode(text.encode()).decode()


HEADERS = [
    ("", NOT_PROVIDED),
    ("Token abc", NOT_PROVIDED),
    ("Bearer", "Invalid token header. No credentials provided."),
    ("Bearer a b", "Invalid token header. Token string should not contain spaces."),
    ("Bearer unknown", "Invalid token"),
    ("Bearer sntrys_unknown", "Invalid org token"),
    ("Basic", "Invalid basic header. No credentials provided."),
    ("Basic a b", "Invalid basic header. Credentials string should not contain spaces."),
    ("Basic x", "Invalid basic header. Credentials not correctly base64 encoded."),
    ("Basic !!!", "API key is not valid"),
    (basic("unknown:"), "API key is not valid"),
    (basic(f"{TOKEN}:password"), NOT_PROVIDED),
    (basic(":"), "API key is not valid"),
]


@pytest.mark.parametrize(("header", "text"), HEADERS)
def test_1_9_unauthenticated_texts(api: Caller, header: str, text: str) -> None:
    answer = Caller(api.app, None).get("releases/", Authorization=header)
    assert (answer.status_code, answer.json) == (401, {"detail": text})


def test_1_9_the_setting_is_token_and_key(api: Caller) -> None:
    assert api.get("releases/").status_code == 200
    assert Caller(api.app, TOKEN, kind="key").get("releases/").status_code == 200


@pytest.mark.parametrize(("kind", "text"), [("token", "Invalid token"), ("key", "Key is disabled")])
def test_1_9_a_revoked_credential(grant: Any, database: Engine, kind: Any, text: str) -> None:
    caller = grant(kind)
    assert caller.get("releases/").status_code == 200
    with database.begin() as connection:
        assert revoke(connection, 1, kind, caller.credential_id, datetime.now(UTC))
    answer = caller.get("releases/")
    assert (answer.status_code, answer.json) == (401, {"detail": text})


def test_1_9_an_expired_token(grant: Any) -> None:
    caller = grant(expires_at=datetime.now(UTC) - timedelta(seconds=1))
    assert caller.get("releases/").json == {"detail": "Token expired"}


def test_1_9_an_inactive_user(grant: Any, database: Engine) -> None:
    caller = grant(user="a@b.test")
    with database.begin() as connection:
        connection.execute(sa.update(users).values(is_active=False))
    assert caller.get("releases/").json == {"detail": "User inactive or deleted"}


@pytest.mark.parametrize("kind", ["token", "key"])
def test_1_9_another_organizations_credential_is_403_and_sees_nothing(api: Caller, grant: Any, kind: str) -> None:
    api.made(commits=[{"id": "a", "repository": "acme/shop"}])
    stranger = grant(kind, org="other")
    paths = ["releases/", "releases/1.0/", "releases/1.0/commits/", "releases/1.0/deploys/", "repos/"]
    paths += ["releases/1.0/previous-with-commits/", "/api/0/projects/acme/shop/releases/"]
    for path in paths:
        address = path if path.startswith("/") else f"/api/0/organizations/acme/{path}"
        answer = stranger.get(address)
        assert (answer.status_code, answer.json) == (
            403,
            {"detail": "You do not have permission to perform this action."},
        )
    assert stranger.get("releases/").json == []
    assert stranger.get("releases/1.0/").status_code == 404


SCOPES = [
    ("GET", {"project:read", "project:write", "project:admin", "project:releases", "org:ci"}),
    ("POST", {"project:write", "project:admin", "project:releases", "org:ci"}),
    ("PUT", {"project:write", "project:admin", "project:releases", "org:ci"}),
    ("DELETE", {"project:admin", "project:releases"}),
]


@pytest.mark.parametrize(("method", "enough"), SCOPES, ids=[row[0] for row in SCOPES])
@pytest.mark.parametrize("scope", ["project:read", "project:write", "project:admin", "project:releases", "org:ci", "org:read"])
def test_1_9_scopes(api: Caller, grant: Any, method: str, enough: set[str], scope: str) -> None:
    api.made()
    path = "releases/" if method == "POST" else "releases/1.0/"
    body = {"version": "1.0", "projects": ["shop"]} if method == "POST" else {} if method == "PUT" else None
    answer = grant(scopes=(scope,)).call(method, path, body)
    assert (answer.status_code == 403) == (scope not in enough), answer.text


@pytest.mark.parametrize(("scope", "status"), [("org:read", 200), ("org:ci", 200), ("project:read", 403)])
def test_1_9_the_repository_list_has_its_own_scopes(grant: Any, scope: str, status: int) -> None:
    assert grant(scopes=(scope,)).get("repos/").status_code == status


def test_1_9_a_limited_token_sees_its_projects_alone(api: Caller, grant: Any) -> None:
    api.made("1.0")
    api.made("2.0", projects=["pump-station"])
    api.made("3.0", projects=["shop", "pump-station"])
    limited = grant(projects=["shop"])
    assert [one["version"] for one in limited.get("releases/").json] == ["3.0", "1.0"]
    assert [limited.get(f"releases/{version}/").status_code for version in ("1.0", "2.0", "3.0")] == [200, 404, 200]


def test_1_9_a_key_that_may_only_read_reaches_no_release_of_the_organization(api: Caller, grant: Any) -> None:
    api.made()
    key = grant("key", scopes=("project:read",))
    assert (key.get("releases/").json, key.get("releases/1.0/").status_code) == ([], 404)
    assert key.get("/api/0/projects/acme/shop/releases/1.0/").status_code == 200
    assert grant(scopes=("project:read",)).get("releases/1.0/").status_code == 200


def test_1_9_secrets_are_stored_as_digests(grant: Any, database: Engine) -> None:
    caller = grant()
    with database.begin() as connection:
        stored = str(connection.execute(sa.select(credentials)).all())
    assert caller.secret not in stored
    assert TOKEN not in stored


ALLOW = [
    ("releases/", "GET, POST, HEAD, OPTIONS"),
    ("releases/1.0/", "GET, PUT, DELETE, HEAD, OPTIONS"),
    ("releases/1.0/deploys/", "GET, POST, HEAD, OPTIONS"),
    ("releases/1.0/commits/", "GET, HEAD, OPTIONS"),
]


@pytest.mark.parametrize(("path", "allow"), ALLOW)
def test_1_10_allow(api: Caller, path: str, allow: str) -> None:
    for method in ("GET", "OPTIONS"):
        assert api.call(method, path).headers["Allow"] == allow
    for method in ("PATCH", "HEAD"):
        answer = api.call(method, path)
        assert (answer.status_code, answer.headers["Allow"]) == (403, allow)


def test_1_10_headers_of_an_answer(api: Caller) -> None:
    headers = api.release().headers
    assert headers["Content-Type"] == "application/json"
    assert headers["Content-Language"] == "en"
    assert headers["Vary"] == "Accept-Language, Cookie"
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["X-Frame-Options"] == "deny"
    assert headers["X-Xss-Protection"] == "1; mode=block"
    assert headers["Access-Control-Allow-Origin"] == "*"
    assert headers["Access-Control-Allow-Methods"] == headers["Allow"]
    assert "Link" in headers["Access-Control-Expose-Headers"]


def test_1_10_options_is_200_and_may_be_kept_an_hour(api: Caller) -> None:
    answer = Caller(api.app, None).call("OPTIONS", "releases/")
    assert (answer.status_code, answer.headers["Access-Control-Max-Age"]) == (200, "3600")


def test_1_10_a_foreign_origin_is_400_and_the_own_is_not(api: Caller) -> None:
    assert api.get("releases/", Origin="https://evil.test").status_code == 400
    assert api.get("releases/", Origin="https://evil.test").json == "Invalid origin: https://evil.test"
    assert api.call("OPTIONS", "releases/", Origin="https://evil.test").status_code == 200
    assert api.get("releases/", Origin="null").status_code == 200
    answer = api.get("releases/", Origin="http://localhost")
    assert (answer.status_code, answer.headers["Access-Control-Allow-Origin"]) == (200, "http://localhost")


def test_1_10_bodies_are_compact(api: Caller) -> None:
    assert '"version":"1.0","status":"open"' in api.release().text


def test_1_10_only_json_is_answered(api: Caller) -> None:
    assert api.get("releases/", Accept="text/html").status_code == 406
    assert api.get("releases/", Accept="text/html, */*;q=0.1").status_code == 200
    answer = api.get("releases/?format=xml")
    assert (answer.status_code, answer.json) == (404, {"detail": "Not found."})


def test_2_root_tells_who_is_calling(api: Caller, grant: Any) -> None:
    assert Caller(api.app, None).get("/api/0/").json == {"version": "0", "auth": None, "user": None}
    assert api.get("/api/0/").json["user"] is None
    shown = grant(scopes=("project:read",), user="a@b.test").get("/api/0/").json
    assert (shown["auth"], shown["user"]["email"]) == ({"scopes": ["project:read"]}, "a@b.test")
    assert Caller(api.app, "wrong").get("/api/0/").status_code == 401

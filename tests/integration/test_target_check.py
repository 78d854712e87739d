"""`targets check`: one table on command line, API and page, what it finds out, and that it writes only when told to."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest
from flask.testing import FlaskClient

from shared.domain.rules import Rules
from shared.infra.database import make_engine
from shared.infra.http_client import make_client
from shared.ledger import audit
from shared.ledger.tables import SCHEMA
from shared.targets.check_rows import CHECKS, Row, State, is_usable, judge_list, judge_scopes, judge_tls
from shared.targets.target_check import MARK, check_target
from tests.builders import target
from tests.cli_run import call
from tests.dashboard import ledger
from tests.glitchtip import TOKEN, GlitchTip
from tests.migrated import migrate
from tests.target import Target
from webhook.app import create_app


@pytest.fixture
def http() -> Iterator[httpx2.Client]:
    with make_client() as client:
        yield client


@pytest.fixture
def glitchtip() -> Iterator[GlitchTip]:
    made = GlitchTip()
    yield made
    made.close()


def checked(http: httpx2.Client, url: str, token: str | None = TOKEN, *projects: str, writes: bool = False) -> dict[str, Row]:
    rows = check_target(http, target("main", url=url, org="acme"), token, projects or ("app",), writes=writes)
    assert [row.check for row in rows] == list(CHECKS)
    return {row.check: row for row in rows}


def states(rows: dict[str, Row]) -> dict[str, str]:
    return {row.check: row.state for row in rows.values() if row.state != "ok"}


def test_without_being_told_to_nothing_is_written(http: httpx2.Client, glitchtip: GlitchTip) -> None:
    rows = checked(http, glitchtip.url)
    assert {method for method, _ in glitchtip.calls} == {"GET"}
    assert states(rows) == {"scopes": "unknown", "commits": "unknown", "deploys": "unknown", "repositories": "warning"}
    assert is_usable(rows.values())


def test_a_test_release_shows_what_a_server_keeps_and_is_gone_afterwards(http: httpx2.Client, glitchtip: GlitchTip) -> None:
    rows = checked(http, glitchtip.url, writes=True)
    assert states(rows) == dict.fromkeys(("releases", "commits", "deploys", "repositories"), "warning")
    assert "a second POST of a version is answered 500" in rows["releases"].detail
    assert rows["commits"].detail == "accepted, and not kept by this server"
    assert 'refused (403: "403 Forbidden")' in rows["deploys"].detail
    assert (glitchtip.releases, is_usable(rows.values())) == ({}, True)
    assert ("DELETE", f"/api/0/organizations/acme/releases/{MARK}/") in glitchtip.calls


def test_what_is_wrong_is_the_row_that_says_so(http: httpx2.Client, glitchtip: GlitchTip) -> None:
    wrong = checked(http, glitchtip.url, "wrong")
    assert (wrong["token"].state, "check ACME_TOKEN" in wrong["token"].detail) == ("failed", True)
    unset = checked(http, glitchtip.url, None)
    assert unset["token"].detail == "ACME_TOKEN is not set in this process"
    projects = checked(http, glitchtip.url, TOKEN, "app", "web", writes=True)
    assert projects["projects"] == Row("projects", "failed", "not there for this token: web")
    assert "POST" not in {method for method, _ in glitchtip.calls}, "what cannot work is not tried"
    glitchtip.org = "other"
    assert "no organization 'acme'" in checked(http, glitchtip.url)["organization"].detail
    assert checked(http, f"{glitchtip.url}/api/0")["address"].state == "failed"
    assert checked(http, "http://127.0.0.1:1")["address"].detail.endswith("the connection was refused")


@pytest.mark.parametrize("status", [200, 204, 302, 400, 401, 403, 404, 429, 500, 503])
@pytest.mark.parametrize(
    "body", [b"", b"<html><title>Sign in</title>", b"null", b"[]", b"{}", b'[{"version": 1}]', b"\xff\xfe", b"[" * 9_000]
)
def test_whatever_a_server_answers_ends_in_rows(http: httpx2.Client, status: int, body: bytes) -> None:
    fake = Target()
    fake.get_answer = (status, {"Link": '<x>; rel="next"; results="true"; cursor="y"', "Location": "https://sso.test/"}, body)
    rows = checked(http, fake.url, writes=status != 200)
    fake.close()
    assert status == 200 or not is_usable(rows.values())
    assert all("<html" not in row.detail and len(row.detail) <= 500 for row in rows.values())


@pytest.mark.parametrize(
    ("index", "state", "said"),
    [
        ({"auth": {"scopes": ["project:releases"]}}, "ok", "the token has project:releases"),
        ({"auth": {"scopes": ["org:ci", 7]}}, "ok", "the token has org:ci"),
        ({"auth": {"scopes": ["org:read"]}}, "failed", "the token has org:read: it needs project:releases"),
        ({"auth": {"scopes": []}}, "failed", "the token has no scope: it needs project:releases"),
        ({"auth": None}, "unknown", "this server does not say what the token may do; --write finds out"),
        ({"auth": {"scopes": "all"}}, "unknown", "this server does not say what the token may do; --write finds out"),
        ([], "unknown", "this server does not say what the token may do; --write finds out"),
    ],
)
def test_scopes(index: object, state: State, said: str) -> None:
    assert judge_scopes(index) == Row("scopes", state, said)


@pytest.mark.parametrize(
    ("url", "state"),
    [
        ("https://s.test", "ok"),
        ("http://s.test", "warning"),
        ("http://127.0.0.1:1", "ok"),
        ("http://localhost", "ok"),
        ("http://[::1]", "ok"),
    ],
)
def test_tls(url: str, state: str) -> None:
    assert judge_tls(url).state == state


@pytest.mark.parametrize(
    ("cursor", "following", "state"),
    [
        (None, None, "ok"),
        ("c", [{"version": "2"}], "ok"),
        ("c", [], "ok"),
        ("c", [{"version": "1"}], "failed"),  # the first page again
        ("c", {"detail": "?"}, "failed"),
        ("", None, "failed"),  # a page follows, and nothing says which
    ],
)
def test_a_list_that_cannot_be_followed_has_failed(cursor: str | None, following: object, state: str) -> None:
    assert judge_list([{"version": "1"}], cursor, following).state == state


# --- the three interfaces --------------------------------------------------------------------------------------------


@pytest.fixture
def rules(glitchtip: GlitchTip) -> Rules:
    return ledger.rules(glitchtip.url)


@pytest.fixture
def client(rules: Rules, tmp_path: Path) -> Iterator[FlaskClient]:
    engine = make_engine(f"sqlite:///{tmp_path / 'ledger.sqlite3'}")
    migrate(engine, SCHEMA)
    app = create_app(ledger.made_settings(engine, environ={"T": TOKEN}), rules)
    yield app.test_client()
    app.extensions["services"].notifier.stop(0.1)
    app.extensions["services"].engine.dispose()
    engine.dispose()


def test_the_api_answers_the_table(client: FlaskClient, glitchtip: GlitchTip) -> None:
    headers = {"Authorization": f"Bearer {ledger.OPERATOR}"}
    answer = client.post("/api/v1/targets/main/check", headers=headers)
    assert (answer.status_code, answer.json["usable"], answer.json["wrote"]) == (200, True, False)
    assert [row["check"] for row in answer.json["checks"]] == list(CHECKS)
    written = client.post("/api/v1/targets/main/check", json={"write": True}, headers=headers).json
    assert (written["wrote"], glitchtip.releases) == (True, {})
    assert client.post("/api/v1/targets/none/check", headers=headers).status_code == 404
    assert client.post("/api/v1/targets/main/check", json={"write": "yes"}, headers=headers).status_code == 400
    looking = {"Authorization": f"Bearer {ledger.VIEWER}"}
    assert client.post("/api/v1/targets/main/check", headers=looking).status_code == 403
    with client.application.extensions["services"].engine.begin() as connection:
        entries = [(row.action, row.subject, row.detail) for row in audit.list_entries(connection, before=None, limit=9)]
    assert entries == [
        ("target_check", "main", {"usable": True, "wrote": True}),
        ("target_check", "main", {"usable": True, "wrote": False}),
    ]


def test_the_page_shows_the_table_to_an_operator(client: FlaskClient, glitchtip: GlitchTip) -> None:
    ledger.sign_in(client)
    assert "Check main" in client.get("/targets").text
    text = ledger.act(client, "/targets/main/check").text
    assert all(f">{check}<" in text for check in CHECKS)
    assert "Nothing was written" in text
    assert "test release was made" in ledger.act(client, "/targets/main/check", write="1").text
    assert ledger.act(client, "/targets/none/check").status_code == 404


def test_the_command_prints_the_table_and_ends_with_1_when_a_check_failed(glitchtip: GlitchTip, tmp_path: Path) -> None:
    (tmp_path / "tagship.toml").write_text(
        f'[targets.main]\nurl = "{glitchtip.url}"\norg = "acme"\ntoken_env = "T"\n'
        '[[rules]]\nrepo = "github:*"\nprojects = ["app"]\n'
    )
    database = f"sqlite:///{tmp_path / 'ledger.sqlite3'}"
    engine = make_engine(database)
    migrate(engine, SCHEMA)
    engine.dispose()
    environ = {
        "DATABASE_URL": database,
        "TAGSHIP_CONFIG": str(tmp_path / "tagship.toml"),
        "PATH": os.environ["PATH"],
        "T": TOKEN,
    }
    assert call(environ, "targets", "check", "main", "--json")["usable"]
    lines = call({**environ, "T": "wrong"}, "targets", "check", "main", code=1).stdout.splitlines()
    assert [line.split()[0] for line in lines] == ["check", *CHECKS]
    assert "check T" in lines[3], "details are printed whole"

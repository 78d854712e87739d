"""The command line, start-up faults, the rate limit, migrations, and the endpoint as a process of its own."""

from __future__ import annotations

import http.client
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.engine import Engine

from releases import bootstrap
from releases.app import create_app
from releases.http.rate_limit import Limiter, read_limit
from releases.tables.tenants import metadata
from shared.config.settings import from_env
from shared.errors import SettingsError
from shared.infra.database import make_engine
from shared.ledger.tables import SCHEMA as LEDGER
from shared.ledger.tables import metadata as ledger
from tests.releases.caller import Caller
from tests.releases.conftest import ENVIRON, ROOT, TOKEN, serving
from webhook.local.environment import free_port


def run(folder: Path, *arguments: str, **environ: str) -> subprocess.CompletedProcess[str]:
    environ = {**os.environ, "DATA_DIR": str(folder), **environ}
    command = [sys.executable, "-m", "releases", *arguments]
    return subprocess.run(command, cwd=ROOT, env=environ, capture_output=True, text=True, check=False, timeout=60)


def told(folder: Path, *arguments: str) -> Any:
    done = run(folder, *arguments, "--json")
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_organizations_projects_tokens_and_keys(tmp_path: Path) -> None:
    assert told(tmp_path, "org", "create", "acme") == {"id": 1, "slug": "acme", "created": True}
    assert told(tmp_path, "org", "create", "acme")["created"] is False
    assert told(tmp_path, "project", "create", "acme", "shop")["slug"] == "shop"
    assert [one["slug"] for one in told(tmp_path, "project", "list", "acme")] == ["shop"]
    token = told(tmp_path, "token", "create", "acme")
    assert (token["scopes"], len(token["token"])) == (["project:read"], 80)
    key = told(tmp_path, "key", "create", "acme", "--scope", "project:write", "--scope", "org:read", "--project", "shop")
    assert key["scopes"] == ["project:write", "org:read"]
    (listed,) = told(tmp_path, "token", "list", "acme")
    assert listed["ends_with"] == token["token"][-4:]
    assert token["token"] not in json.dumps(listed)
    assert told(tmp_path, "token", "revoke", "acme", str(token["id"]))["revoked"]
    gone = run(tmp_path, "token", "revoke", "acme", "99")
    assert (gone.returncode, "no token 99" in gone.stderr) == (3, True)
    gone = run(tmp_path, "project", "rename", "acme", "nope", "other")
    assert (gone.returncode, "no project 'nope'" in gone.stderr) == (3, True)
    assert run(tmp_path, "key", "revoke", "acme", str(token["id"])).returncode == 3


def test_org_list_for_people(tmp_path: Path) -> None:
    run(tmp_path, "org", "create", "acme", "--name", "Acme Inc")
    assert run(tmp_path, "org", "list").stdout == "id=1  slug=acme  name=Acme Inc\n"


WRONG = [
    (("org", "create", "a/b"), "the slug must be 1 to 50 letters, digits, hyphens or underscores, not 'a/b'"),
    (("project", "create", "none", "shop"), "there is no organization 'none': make it by `org create`"),
    (("token", "create", "none"), "there is no organization 'none': make it by `org create`"),
]


@pytest.mark.parametrize(("arguments", "sentence"), WRONG)
def test_wrong_use_is_one_sentence_and_exit_2(tmp_path: Path, arguments: tuple[str, ...], sentence: str) -> None:
    done = run(tmp_path, *arguments)
    assert (done.returncode, done.stderr) == (2, f"releases: {sentence}\n")


FAULTS: list[tuple[dict[str, str], list[str]]] = [
    ({"SENTRY_ORG": "a/b", "SENTRY_PROJECT": "1"}, ["SENTRY_ORG must be", "SENTRY_PROJECT must not be a bare number"]),
    ({"RELEASES_PORT": "x", "OPS_TOKEN": ""}, ["RELEASES_PORT must be", "OPS_TOKEN is set but empty"]),
    ({"RELEASES_RATE_LIMIT": "many"}, ["RELEASES_RATE_LIMIT must be a whole number"]),
    ({"RELEASES_SHARED_RELEASES": "no"}, ["RELEASES_SHARED_RELEASES must be one of allow, refuse"]),
    ({"RELEASES_DATABASE_URL": "postgresql://x@127.0.0.1:1/x"}, ["RELEASES_DATABASE_URL cannot be opened"]),
    ({"RELEASES_DATABASE_URL": "sqlite:////proc/none/x"}, ["RELEASES_DATABASE_URL cannot be opened"]),
]


@pytest.mark.parametrize(("environ", "sentences"), FAULTS, ids=[next(iter(row[0])) for row in FAULTS])
def test_start_up_faults_are_a_sentence_each_and_exit_2(tmp_path: Path, environ: dict[str, str], sentences: list[str]) -> None:
    done = run(tmp_path, "serve", **{"RELEASES_PORT": str(free_port()), **environ})
    assert done.returncode == 2
    lines = done.stderr.splitlines()
    assert len(lines) == len(sentences)
    for line, sentence in zip(sorted(lines), sorted(sentences), strict=True):
        assert line.startswith(f"releases: {sentence}")


def test_a_database_that_fails_is_one_sentence_and_exit_1(tmp_path: Path, template: Path) -> None:
    shutil.copy(template, tmp_path / "releases.sqlite3")
    engine = make_engine(f"sqlite:///{tmp_path / 'releases.sqlite3'}")
    with engine.begin() as connection:
        connection.execute(sa.text("ALTER TABLE rel_organizations RENAME TO elsewhere"))
    engine.dispose()
    done = run(tmp_path, "org", "list")
    sentence = "releases: the database cannot be used: no such table: rel_organizations\n"
    assert (done.returncode, done.stdout, done.stderr) == (1, "", sentence)


def test_a_database_that_needs_a_newer_program_is_a_sentence_and_exit_2(tmp_path: Path, template: Path) -> None:
    shutil.copy(template, tmp_path / "releases.sqlite3")
    engine = make_engine(f"sqlite:///{tmp_path / 'releases.sqlite3'}")
    with engine.begin() as connection:
        connection.execute(sa.text("UPDATE releases_alembic_version SET version_num = 'r9999'"))
        connection.execute(sa.text("UPDATE releases_alembic_version_needs SET revision = 'r9999'"))
    engine.dispose()
    done = run(tmp_path, "org", "list")
    assert done.returncode == 2
    assert done.stderr.startswith("releases: RELEASES_DATABASE_URL cannot be used: ")
    assert "is at r9999, for programs that know r9999" in done.stderr
    assert done.stderr.count("\n") == 1


def test_a_served_process_answers_and_stops_and_refuses_a_second(tmp_path: Path) -> None:
    started = serving({**ENVIRON, "DATA_DIR": str(tmp_path)})
    with started as address:
        host = address.removeprefix("http://")
        connection = http.client.HTTPConnection(host, timeout=10)
        body = json.dumps({"version": "1.0", "projects": ["shop"]})
        headers = {"Authorization": f"Bearer {TOKEN}", "Content-Type": "application/json"}
        connection.request("POST", "/api/0/organizations/acme/releases/", body, headers)
        answer = connection.getresponse()
        assert (answer.status, json.load(answer)["version"]) == (201, "1.0")
        second = run(tmp_path, "serve", RELEASES_PORT=host.rpartition(":")[2])
        assert second.returncode == 2
        assert "is in use" in second.stderr
        connection.request("GET", "/api/0/organizations/acme/releases/", headers=headers)
        assert connection.getresponse().status == 200  # the second start left the token alone
        connection.close()
    assert "Traceback" not in started.log
    assert TOKEN not in started.log


def test_told_to_stop_many_times_over_it_stops(tmp_path: Path) -> None:
    started = serving({**ENVIRON, "DATA_DIR": str(tmp_path)})
    with started:
        for _ in range(30):
            started.process.terminate()
        assert started.process.wait(20) == 0


def test_another_token_in_the_setting_replaces_the_first(database: Engine) -> None:
    bootstrap.seed(database, from_env(ENVIRON))
    bootstrap.seed(database, from_env({**ENVIRON, "SENTRY_AUTH_TOKEN": "a-new-token"}))
    app = create_app(database)
    try:
        assert Caller(app, TOKEN).get("releases/").status_code == 401
        assert Caller(app, "a-new-token").get("releases/").status_code == 200
    finally:
        app.stop()


def test_the_schema_is_what_the_tables_say(either_database: Engine) -> None:
    from alembic.autogenerate import compare_metadata
    from alembic.migration import MigrationContext

    with either_database.connect() as connection:
        opts = {
            "version_table": "releases_alembic_version",
            "include_name": lambda name, kind, _: kind != "table" or "rel_" in name,
        }
        context = MigrationContext.configure(connection, opts=opts)
        assert compare_metadata(context, metadata) == []
        assert bootstrap.SCHEMA.current(either_database) == bootstrap.SCHEMA.head()


def test_one_database_holds_the_ledger_and_the_endpoint(either_database: Engine) -> None:
    LEDGER.upgrade(either_database)
    assert bootstrap.SCHEMA.upgrade(either_database) == bootstrap.SCHEMA.current(either_database)
    assert not {table.name for table in metadata.sorted_tables} & {table.name for table in ledger.sorted_tables}


def test_the_rate_limit_is_off_by_default(api: Caller) -> None:
    assert read_limit(from_env({})) is None
    assert not any(name.startswith("X-Sentry-Rate-Limit") for name, _ in api.get("releases/").headers)


def test_4_a_429_with_the_documented_headers(database: Engine) -> None:
    bootstrap.seed(database, from_env(ENVIRON))
    app = create_app(database, rate_limit=2)
    try:
        answers = [Caller(app, TOKEN).get("releases/") for _ in range(12)]
    finally:
        app.stop()
    assert [answer.status_code for answer in answers[:2]] == [200, 200]
    refused = next(answer for answer in answers if answer.status_code == 429)
    assert refused.mimetype == "text/html"
    text = "You are attempting to use this endpoint too frequently. Limit is 2 requests in 1 seconds"
    assert json.loads(refused.text) == {"detail": text}
    assert "Retry-After" not in refused.headers
    for name, value in (("Limit", "2"), ("Remaining", "0"), ("ConcurrentLimit", "25"), ("ConcurrentRemaining", "24")):
        assert refused.headers[f"X-Sentry-Rate-Limit-{name}"] == value
    assert int(refused.headers["X-Sentry-Rate-Limit-Reset"]) > 1_700_000_000


def test_4_callers_seconds_and_concurrency_are_counted_apart() -> None:
    limiter = Limiter(1)
    assert limiter.enter("a", 1, 10.0).refusal is None
    assert limiter.enter("b", 1, 10.5).refusal is None
    assert limiter.enter("a", 1, 10.9).refusal is not None
    assert limiter.enter("a", 1, 11.0).refusal is None
    places = [limiter.enter("c", 99, 11.0) for _ in range(26)]
    assert places[-1].refusal == (
        "You are attempting to go above the allowed concurrency for this endpoint. Concurrency limit is 25"
    )
    for _ in range(26):
        limiter.leave("c")
    assert limiter.enter("c", 99, 11.0).concurrent_remaining == 24


def test_a_wrong_rate_limit_is_a_setting_error() -> None:
    for text in ("0", "-1", "x", "", "1" * 30):
        with pytest.raises(SettingsError):
            read_limit(from_env({"RELEASES_RATE_LIMIT": text}))


def test_lists_walk_an_index(database: Engine) -> None:
    """A page of a long list must not sort the whole of it."""
    query = "SELECT * FROM rel_releases WHERE organization_id = 1 ORDER BY {0} DESC, id DESC LIMIT 101"
    with database.begin() as connection:
        for column in ("date_added", "date_sort"):
            plan = str(connection.execute(sa.text("EXPLAIN QUERY PLAN " + query.format(column))).all())
            assert f"ix_rel_releases_organization_id_{column}_id" in plan
            assert "TEMP B-TREE" not in plan


def test_the_table_in_docs_names_every_rule_test_and_none_that_is_not_there() -> None:
    named = set(re.findall(r"`(test_\w+)`", (ROOT / "docs" / "releases-endpoint.md").read_text(encoding="utf-8")))
    sources = "".join(path.read_text(encoding="utf-8") for path in Path(__file__).parent.glob("test_*.py"))
    there = set(re.findall(r"^def (test_\w+)", sources, re.MULTILINE))
    assert named <= there
    assert {name for name in there if re.match(r"test_[012]_", name)} <= named

"""What a changed config would make of stored deliveries: on real databases, through the library and the command line."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from flask.testing import FlaskClient
from sqlalchemy.engine import Engine

from shared.config import rules_file
from shared.config.settings import Settings
from shared.ledger.queries.lookup import find_delivery
from shared.ledger.tables import deliveries, jobs, payloads
from tests import cli_run
from tests.databases import ON_SQLITE
from tests.webhook_calls import GITHUB, send, tag
from webhook.app import create_app
from webhook.local.sample_webhooks import SampleCommit, github_push, sha, sign_github
from webhook.ops import replays, what_if
from webhook.ops.config_preview import read_config

ROOT = Path(__file__).resolve().parents[2]
OTHER_NAME = '[[rules]]\nrepo = "github:acme/*"\nprojects = ["app"]\nrelease = "shop@{tag}"\n'


@pytest.fixture
def settings(engine: Engine, tmp_path: Path) -> Settings:
    return Settings(
        data_dir=tmp_path,
        database_url=engine.url.render_as_string(hide_password=False),
        webhook_secrets={"github": (GITHUB,)},
        sentry_url="http://127.0.0.1:1",
    )


@pytest.fixture
def client(settings: Settings) -> Iterator[FlaskClient]:
    app = create_app(settings)
    yield app.test_client()
    app.extensions["services"].notifier.stop(0.1)
    app.extensions["services"].engine.dispose()


def send_branch(client: FlaskClient, branch: str, delivery_id: str) -> None:
    payload = github_push(repository="acme/shop", ref=f"refs/heads/{branch}", commits=[SampleCommit(branch)], before="1" * 40)
    assert send(client, sign_github(payload, GITHUB, delivery_id=delivery_id)).status_code < 300


def asked(engine: Engine, settings: Settings, text: str, last: int = 500) -> what_if.Summary:
    return what_if.summarise(what_if.compare(engine, read_config(text, settings), last))


def test_the_rules_in_force_change_no_verdict(client: FlaskClient, engine: Engine, settings: Settings) -> None:
    send(client, tag("v1", "d-1"))
    send_branch(client, "try-it", "d-2")
    send(client, sign_github({"zen": "Be kind"}, GITHUB, event="ping", delivery_id="d-3"))
    found = what_if.summarise(what_if.compare(engine, rules_file.load(settings), 500))
    assert (found.looked_at, found.changes) == (3, ())


def test_changed_verdicts_are_listed_newest_first_and_nothing_is_written(
    client: FlaskClient, engine: Engine, settings: Settings
) -> None:
    send(client, tag("v1", "d-1"))
    send_branch(client, "main", "d-2")
    send_branch(client, "try-it", "d-3")
    with engine.begin() as connection:
        stored = [list(connection.execute(sa.select(table))) for table in (deliveries, jobs, payloads)]
    found = asked(engine, settings, OTHER_NAME)
    assert found.looked_at == 3
    first, second = (change.as_json() for change in found.changes)
    assert (first["id"], first["before"]["releases"][0]["version"][:4]) == ("d-2", sha("main")[:4])
    assert first["after"] == {"status": "ignored", "reason": "branch_not_matched", "releases": []}
    assert (second["id"], second["repository"], second["ref"]) == ("d-1", "acme/shop", "refs/tags/v1")
    assert [second[when]["releases"][0]["version"] for when in ("before", "after")] == ["v1", "shop@v1"]
    with engine.begin() as connection:
        assert [list(connection.execute(sa.select(table))) for table in (deliveries, jobs, payloads)] == stored


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ('projects = ["web"]', "v1 at default (web)"),
        ('projects = ["app"]\nenvironment = "production"', "v1 at default (app; deploy to production)"),
        ('projects = ["app"]\nfinalize = false', "v1 at default (app; not finalized)"),
        ('projects = ["app"]\nset_commits = "skip"', "v1 at default (app; commits skip)"),
    ],
)
def test_whatever_would_be_sent_otherwise_counts(
    client: FlaskClient, engine: Engine, settings: Settings, line: str, told: str
) -> None:
    send(client, tag("v1", "d-1"))
    (change,) = asked(engine, settings, f'[[rules]]\nrepo = "*:*"\n{line}').changes
    assert change.before.as_text() == "accepted: v1 at default (app)"
    assert change.after is not None
    assert change.after.as_text() == f"accepted: {told}"


def test_another_name_of_the_rule_alone_is_no_change(client: FlaskClient, engine: Engine, settings: Settings) -> None:
    send(client, tag("v1", "d-1"))
    assert asked(engine, settings, '[[rules]]\nname = "renamed"\nrepo = "*:*"\nprojects = ["app"]').changes == ()


def test_it_tells_what_a_replay_under_that_config_then_does(client: FlaskClient, engine: Engine, settings: Settings) -> None:
    send_branch(client, "try-it", "d-1")
    text = '[[rules]]\nrepo = "*:*"\nrefs = "refs/heads/*"\nprojects = ["app"]\nrelease = "{branch}"'
    (change,) = asked(engine, settings, text).changes
    with engine.begin() as connection:
        row = find_delivery(connection, "d-1")
        assert row is not None
        (job_id,) = replays.replay_delivery(connection, row, read_config(text, settings), now=datetime.now(UTC))
        version = connection.execute(sa.select(jobs.c.version).where(jobs.c.id == job_id)).scalar_one()
    assert change.after is not None
    assert [release.version for release in change.after.releases] == [version]
    assert asked(engine, settings, text).changes == ()


def test_only_the_newest_are_looked_at_refused_ones_never_and_expired_ones_are_counted(
    client: FlaskClient, engine: Engine, settings: Settings
) -> None:
    for number in range(5):
        send(client, tag(f"v{number}", f"d-{number}"))
    send(client, tag("v9", "d-9", secret="forged"))
    with engine.begin() as connection:
        newest = sa.select(sa.func.max(payloads.c.delivery_seq)).scalar_subquery()
        connection.execute(payloads.delete().where(payloads.c.delivery_seq == newest))
    found = asked(engine, settings, OTHER_NAME, last=3)
    assert (found.looked_at, found.expired) == (3, 1)
    assert [change.delivery["id"] for change in found.changes] == ["d-3", "d-2"]
    assert what_if.count_stored(engine, 500) == 5


def test_many_are_walked_in_steps_without_gap(client: FlaskClient, engine: Engine, settings: Settings) -> None:
    for number in range(5):
        send(client, tag(f"v{number}", f"d-{number}"))
    for last in (1, 2, 3, 4, 5, 6):
        walked = list(what_if.compare(engine, read_config(OTHER_NAME, settings), last, step=2))
        assert [one.delivery["id"] for one in walked] == [f"d-{n}" for n in (4, 3, 2, 1, 0)][:last]


def test_when_time_runs_out_the_summary_says_so(client: FlaskClient, engine: Engine, settings: Settings) -> None:
    for number in range(3):
        send(client, tag(f"v{number}", f"d-{number}"))
    left = iter([True, False])
    found = what_if.summarise(what_if.compare(engine, read_config(OTHER_NAME, settings), 3), lambda: next(left))
    assert (found.looked_at, len(found.changes), found.is_cut) == (1, 1, True)


def test_when_the_answer_is_full_the_summary_says_so(client: FlaskClient, engine: Engine, settings: Settings) -> None:
    for number in range(3):
        send(client, tag(f"v{number}", f"d-{number}"))
    found = what_if.summarise(what_if.compare(engine, read_config(OTHER_NAME, settings), 3), room=100)
    assert (found.looked_at, len(found.changes), found.is_cut) == (2, 2, True)


def command(engine: Engine, tmp_path: Path, *arguments: str) -> tuple[list[str], dict[str, str]]:
    file = tmp_path / "changed.toml"
    file.write_text(OTHER_NAME)
    url = engine.url.render_as_string(hide_password=False)
    # The receiver beside it, in this process, warns that no broker answers.
    environ = {"DATABASE_URL": url, "DATA_DIR": str(tmp_path), "LOG_LEVEL": "ERROR", "TERM": "xterm"}
    return ["what-if", str(file), *arguments], environ


def run(engine: Engine, tmp_path: Path, *arguments: str) -> cli_run.Done:
    words, environ = command(engine, tmp_path, *arguments)
    return cli_run.run(environ, *words)


def test_the_command_lists_them_and_ends_with_3_where_nothing_changes(
    client: FlaskClient, engine: Engine, tmp_path: Path
) -> None:
    assert run(engine, tmp_path).returncode == 3
    send(client, tag("v1", "d-1"))
    done = run(engine, tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    printed = [line for line in done.stdout.splitlines() if "knock.failed" not in line]  # of the app in this process
    assert printed == [
        "github:acme/shop  refs/tags/v1  (delivery d-1)",
        "  - accepted: v1 at default (app)",
        "  + accepted: shop@v1 at default (app)",
        "1 of 1 deliveries would have another verdict",
    ]
    said: dict[str, Any] = json.loads(run(engine, tmp_path, "--last", "1", "--json").stdout)
    assert (said["looked_at"], said["changed"], said["items"][0]["after"]["status"]) == (1, 1, "accepted")
    assert run(engine, tmp_path, "--last", "0").returncode == 2


@ON_SQLITE
def test_a_terminal_gets_a_bar(client: FlaskClient, engine: Engine, tmp_path: Path) -> None:
    send(client, tag("v1", "d-1"))
    ours, theirs = pty.openpty()
    words, environ = command(engine, tmp_path, "--json")
    line = [sys.executable, "-m", "webhook", *words]
    done = subprocess.run(line, cwd=ROOT, env=environ, stdout=subprocess.PIPE, stderr=theirs, check=False)
    os.close(theirs)
    with os.fdopen(ours, "rb") as terminal:
        shown = os.read(terminal.fileno(), 65_536).decode()
    assert (done.returncode, json.loads(done.stdout)["changed"]) == (0, 1)
    assert "deciding" in shown
    assert "100%" in shown

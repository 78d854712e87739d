"""Each thing that can be looked at is there in API, command line and pages, and says the same. A new one adds its row here."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import pytest
from flask.testing import FlaskClient
from sqlalchemy.engine import Engine

from shared.config.rules_file import load
from shared.domain.push import Repository
from shared.infra.database import make_engine
from shared.ledger import repositories
from shared.ledger.tables import SCHEMA
from tests import cli_run
from tests.dashboard import ledger
from tests.dashboard.comparisons import compared, entry
from tests.migrated import migrate
from webhook.app import create_app

AUTH = {"Authorization": f"Bearer {ledger.OPERATOR}"}


@dataclass(frozen=True, slots=True)
class Capability:
    """`facts`: texts that each interface shows of the filled ledger."""

    name: str
    call: str
    command: tuple[str, ...]
    page: str
    facts: tuple[str, ...]


CAPABILITIES = (
    Capability("deliveries", "/deliveries", ("deliveries", "list"), "/deliveries", ("acme/shop", "branch_not_matched")),
    Capability(
        "a delivery",
        "/deliveries/d-failed",
        ("deliveries", "show", "d-failed"),
        "/deliveries/d-failed",
        ("acme/shop", "v1.1.0"),
    ),
    Capability("jobs", "/jobs", ("jobs", "list"), "/jobs", ("project_unknown", "v1.1.0")),
    Capability(
        "jobs by reason",
        "/jobs?reason=project_unknown",
        ("jobs", "list", "--reason", "project_unknown"),
        "/jobs?reason=project_unknown",
        ("v1.1.0",),
    ),
    Capability("releases", "/releases", ("releases", "list"), "/releases", ("v1.0.0", "http://127.0.0.1:1/releases/1/")),
    Capability("repositories", "/repositories", ("repositories", "list"), "/repositories", ("acme/shop", "v1.0.0")),
    Capability(
        "a repository",
        "/repositories/github/acme/shop",
        ("repositories", "show", "github:acme/shop"),
        "/repositories/github/acme/shop",
        ("v7",),
    ),
    Capability("targets", "/targets", ("targets", "list"), "/targets", ("main",)),
    Capability("rules", "/rules", ("rules", "list"), "/rules", ("never", "gitlab:none/*", "refs/tags/*")),
    Capability("the audit log", "/audit", ("audit", "list"), "/audit", ("operator",)),
    Capability("counts", "/stats", ("stats",), "/", ("failed",)),
)


CONFIG = """
[targets.main]
url = "http://127.0.0.1:1"
org = "acme"
token_env = "T"
[[rules]]
name = "never"
repo = "gitlab:none/*"
refs = ["refs/tags/*"]
target = "main"
projects = ["app"]
[[rules]]
name = "tags"
repo = "*:*"
refs = ["refs/tags/*"]
target = "main"
projects = ["app"]
"""


@dataclass(frozen=True, slots=True)
class Interfaces:
    client: FlaskClient
    environ: dict[str, str]

    def call(self, path: str) -> Any:
        answer = self.client.get(f"/api/v1{path}", headers=AUTH)
        assert answer.status_code == 200, answer.text
        return answer.json


@pytest.fixture(scope="module")
def ledger_file(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    engine = make_engine(f"sqlite:///{tmp_path_factory.mktemp('capabilities') / 'ledger.sqlite3'}")
    migrate(engine, SCHEMA)
    yield engine
    engine.dispose()


@pytest.fixture(scope="module")
def interfaces(ledger_file: Engine, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Interfaces]:
    filled = ledger.fill(ledger_file, ledger.rules())
    compared(ledger_file, entry("v7", "missed_webhook"))
    with ledger_file.begin() as connection:
        here, now = Repository("github", "acme/shop"), datetime.now(UTC)
        repositories.note(connection, {here: [now]}, {here: (now, "v1.0.0")})
    config = tmp_path_factory.mktemp("config") / "tagship.toml"
    config.write_text(CONFIG)
    settings = ledger.made_settings(ledger_file, config_path=config, environ={"T": "t"})
    app = create_app(settings, load(settings))
    client = app.test_client()
    assert client.post(f"/api/v1/jobs/{filled.failed}/replay", headers=AUTH).status_code == 202
    with ledger_file.begin() as connection:  # and fails again
        connection.exec_driver_sql(
            "UPDATE jobs SET status = 'failed', reason = 'project_unknown' WHERE id = ?", (filled.failed,)
        )
    ledger.sign_in(client)
    environ = {
        "DATABASE_URL": ledger_file.url.render_as_string(hide_password=False),
        "TAGSHIP_CONFIG": str(config),
        "T": "t",
        "COLUMNS": "400",
    }
    yield Interfaces(client, environ)
    app.extensions["services"].notifier.stop()
    app.extensions["services"].engine.dispose()


@pytest.mark.parametrize("one", CAPABILITIES, ids=lambda one: one.name)
def test_the_three_interfaces_say_the_same(one: Capability, interfaces: Interfaces) -> None:
    said = interfaces.call(one.call)
    assert cli_run.call(interfaces.environ, *one.command, "--json") == said
    table = cli_run.run(interfaces.environ, *one.command)
    assert table.returncode == 0, table.stderr
    page = interfaces.client.get(one.page)
    assert page.status_code == 200
    for fact in one.facts:
        assert fact in str(said), f"API: {fact}"
        assert fact in table.stdout, f"command line: {fact}"
        assert fact in page.text, f"page: {fact}"


def test_lists_go_on_page_by_page(interfaces: Interfaces) -> None:
    for path in ("/releases", "/audit", "/repositories", "/jobs", "/deliveries"):
        whole = interfaces.call(path)["items"]
        found, address = [], f"{path}?limit=1"
        while True:
            part = interfaces.call(address)
            found += part["items"]
            if part["next_cursor"] is None:
                break
            address = f"{path}?limit=1&cursor={part['next_cursor']}"
        assert found == whole, path
        other = "/audit" if path != "/audit" else "/jobs"
        cursor = interfaces.call(f"{path}?limit=1")["next_cursor"]
        if cursor is not None:
            assert interfaces.client.get(f"/api/v1{other}?cursor={cursor}", headers=AUTH).status_code == 400


def test_a_comparison_is_asked_for_by_the_api_and_seen_there(interfaces: Interfaces) -> None:
    path = "/api/v1/repositories/github/acme/another"
    assert interfaces.client.get(path, headers=AUTH).status_code == 404
    for body in ({"tags": "some"}, {"deploys": True}, {"color": 1}, {"create": "yes"}):
        assert interfaces.client.post(f"{path}/compare", headers=AUTH, json=body).status_code == 400, body
    assert interfaces.client.post(f"{path}/compare", headers=AUTH, json={"tags": "all", "create": True}).status_code == 202
    assert interfaces.client.post(f"{path}/compare", headers=AUTH, json={}).status_code == 409
    assert interfaces.client.post("/api/v1/repositories/gitea/a/b/compare", headers=AUTH).status_code == 400
    found = interfaces.call("/repositories/github/acme/another")["comparison"]
    assert (found["state"], found["creates"], found["most_tags"]) == ("wanted", True, None)


def test_an_id_may_be_shortened_until_it_begins_two(interfaces: Interfaces) -> None:
    jobs = [job["id"] for job in interfaces.call("/jobs")["items"]]
    whole = interfaces.call(f"/jobs/{jobs[0]}")
    beginning = next(jobs[0][:length] for length in range(4, 33) if sum(one.startswith(jobs[0][:length]) for one in jobs) == 1)
    assert interfaces.call(f"/jobs/{beginning}") == whole
    answer = interfaces.client.get(f"/api/v1/jobs/{jobs[0][:4]}", headers=AUTH)
    assert (answer.status_code, answer.json["code"]) == (409, "conflict")
    assert jobs[0] in answer.json["detail"]
    assert interfaces.client.get("/api/v1/jobs/zzzz", headers=AUTH).status_code == 404
    assert interfaces.call("/deliveries/d-fail")["id"] == "d-failed"
    assert interfaces.client.get("/api/v1/deliveries/d-", headers=AUTH).status_code == 404, "too short to mean one"


@pytest.mark.parametrize("command", [("jobs", "list", "--target", "nowhere"), ("stats",), ("targets", "list")])
def test_a_watched_command_comes_again_until_it_is_interrupted(
    command: tuple[str, ...], interfaces: Interfaces, monkeypatch: pytest.MonkeyPatch
) -> None:
    slept: list[float] = []

    def sleep(seconds: float) -> None:
        slept.append(seconds)
        if len(slept) == 3:
            raise KeyboardInterrupt

    monkeypatch.setattr("webhook.cli.common.time.sleep", sleep)
    done = cli_run.run(interfaces.environ, *command, "--watch")
    assert len(slept) == 3
    assert done.returncode != 2
    once = cli_run.run(interfaces.environ, *command)
    assert (done.stdout + done.stderr).startswith(once.stdout + once.stderr)
    assert (done.stdout + done.stderr).count(once.stdout + once.stderr) == 3

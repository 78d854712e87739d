"""Rules and secrets that change while the processes work: the receiver, jobs, what is recorded, and who may read what."""

from __future__ import annotations

import asyncio
import itertools
import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx2
import pytest
import sqlalchemy as sa
from click.testing import CliRunner
from flask import Flask
from sqlalchemy.engine import Engine

from shared.config.changed_files import read_config
from shared.config.settings import from_env
from shared.infra.asgi import FlaskInAsgi
from shared.ledger import processes
from shared.ledger.tables import SCHEMA, deliveries, jobs
from shared.live_config import LiveConfig
from tests.migrated import migrate
from tests.target import Target
from tests.worker_run import accept, row, rules, runner
from webhook.__main__ import main
from webhook.app import create_app, put_in_force
from webhook.http.client_address import sender_of
from webhook.intake.fast_path import quickly
from webhook.local.sample_webhooks import SampleCommit, github_push, sha, sign_github

SECRET, OPS_TOKEN = "gh-secret", "0f4c7a1e9b3d5826c7e1a94f"
TOKEN = {"Authorization": f"Bearer {OPS_TOKEN}"}
RULES = """
[[rules]]
name = "{name}"
repo = "github:acme/*"
release = "{name}@{{tag}}"

[[rules]]
name = "{name}, the rest"
repo = "*:*"
release = "{name}-rest@{{tag}}"
"""


class Receiver:
    """The app as the server runs it, with its rules file; `live.step()` is one look of the thread beside it."""

    def __init__(self, folder: Path) -> None:
        self.path, self.secret = folder / "tagship.toml", folder / "secret"
        self.write("one")
        self.secret.write_text(SECRET, encoding="utf-8")
        self.environ = {
            "DATA_DIR": str(folder),
            "DATABASE_URL": f"sqlite:///{folder / 'ledger.sqlite3'}",
            "TAGSHIP_CONFIG": str(self.path),
            "GITHUB_WEBHOOK_SECRET_FILE": str(self.secret),
            "OPS_TOKEN": OPS_TOKEN,
            "SENTRY_AUTH_TOKEN": "made-up",
        }
        config = read_config(from_env(self.environ))
        self.app: Flask = create_app(config.settings, config.rules)
        self.engine: Engine = self.app.extensions["services"].engine
        migrate(self.engine, SCHEMA)
        self.live = LiveConfig("web", config, self.engine, lambda changed: put_in_force(self.app, changed))
        self.app.extensions["config"] = self.live.files
        self.client = self.app.test_client()
        self.settle()

    def write(self, name: str) -> None:
        self.path.write_text(RULES.format(name=name), encoding="utf-8")

    def settle(self) -> None:
        for _ in range(3):
            self.live.step()

    def get(self, path: str) -> Any:
        return self.client.get(path, headers=TOKEN)


@pytest.fixture
def receiver(tmp_path: Path) -> Iterator[Receiver]:
    made = Receiver(tmp_path)
    yield made
    made.app.extensions["services"].notifier.stop(0.1)
    made.engine.dispose()


def tag(number: int, repository: str = "acme/shop", secret: str = SECRET) -> Any:
    payload = github_push(
        repository=repository, ref=f"refs/tags/v{number}", head=SampleCommit("Work"), after=sha(f"object {number}")
    )
    return sign_github(payload, secret)


def test_rules_edited_while_500_webhooks_arrive_lose_none_and_no_delivery_is_decided_by_half_a_file(receiver: Receiver) -> None:
    """Each file has two rules for two kinds of repository: a delivery decided by halves of two would show both names."""
    app, names = receiver.app, [f"file{number}" for number in range(12)]
    asgi = FlaskInAsgi(app, refuse=lambda _: ([], b""), quick=quickly(lambda: app.extensions["intake"], sender_of(())))

    async def post(number: int) -> int:
        sample = tag(number, repository=("acme/shop", "other/shop")[number % 2])
        scope = {
            "type": "http",
            "method": "POST",
            "path": "/webhooks/github",
            "query_string": b"",
            "client": ("127.0.0.1", 1),
            "headers": [(name.lower().encode(), value.encode()) for name, value in sample.headers.items()],
        }
        body = iter([{"type": "http.request", "body": sample.body, "more_body": False}])
        sent: list[Any] = []

        async def receive() -> Any:
            return next(body)

        async def send(message: Any) -> None:
            sent.append(message)

        await asgi(scope, receive, send)
        return int(sent[0]["status"])

    async def edit(done: asyncio.Event) -> None:
        for name in itertools.chain(names, itertools.repeat(names[-1])):
            whole = RULES.format(name=name)
            for part in (whole[: len(whole) // 2], whole):  # as an editor that writes in place does
                receiver.path.write_text(part, encoding="utf-8")
                await asyncio.to_thread(receiver.live.step)
            await asyncio.to_thread(receiver.live.step)
            if done.is_set():
                return

    async def main_() -> list[int]:
        done = asyncio.Event()
        editing = asyncio.create_task(edit(done))
        statuses = []
        for start in range(0, 500, 20):
            statuses += await asyncio.gather(*(post(number) for number in range(start, start + 20)))
        done.set()
        await editing
        await app.extensions["intake"].group_commit.close()
        return statuses

    assert asyncio.run(main_()) == [202] * 500
    with receiver.engine.begin() as connection:
        stored = connection.execute(sa.select(deliveries.c.repository, deliveries.c.why, deliveries.c.jobs)).all()
        versions = {job.id: job.version for job in connection.execute(sa.select(jobs.c.id, jobs.c.version))}
    assert len(stored) == len(versions) == 500
    used = set()
    for delivery in stored:
        name = delivery.why[0]["rule"]
        (job,) = delivery.jobs
        used.add(name)
        if delivery.repository == "acme/shop":
            assert versions[job].startswith(f"{name}@")
        else:  # the first rule of the file was tried, and the second of the same file decided
            assert [tried["rule"] for tried in delivery.why] == [name, f"{name}, the rest"]
            assert versions[job].startswith(f"{name}-rest@")
    assert len(used) > 2


def test_a_refused_file_is_told_to_operators_and_only_as_a_word_to_anyone(receiver: Receiver) -> None:
    digest = receiver.live.files.state.digest
    assert receiver.client.get("/readyz").json["config"] == "ok"
    receiver.path.write_text('[[rules]]\nrepo = "github:acme/*"\ncolour = "red"\n', encoding="utf-8")
    receiver.settle()
    assert receiver.client.get("/readyz").json["config"] == "invalid"
    assert "colour" not in receiver.client.get("/readyz").text
    told = receiver.get("/api/v1/config").json
    assert told["config"] == "invalid"
    (process,) = told["processes"]
    assert (process["kind"], process["config"], process["digest"]) == ("web", "invalid", digest)
    assert "rules[0].colour is not a known key" in process["errors"][0]
    page = signed_in(receiver).get("/rules").text
    assert "rules[0].colour is not a known key" in page
    assert ">one<" in page  # the rules in force
    assert receiver.client.post("/webhooks/github", **sent(tag(1))).status_code == 202
    receiver.write("two")
    receiver.settle()
    assert receiver.client.get("/readyz").json["config"] == receiver.get("/api/v1/config").json["config"] == "ok"
    assert ">two<" in signed_in(receiver).get("/rules").text


def test_a_webhook_secret_and_the_ops_token_of_a_file_are_read_again(receiver: Receiver) -> None:
    assert receiver.client.post("/webhooks/github", **sent(tag(1, secret="renewed"))).status_code == 401
    receiver.secret.write_text(f"renewed,{SECRET}", encoding="utf-8")
    receiver.settle()
    assert receiver.client.post("/webhooks/github", **sent(tag(1, secret="renewed"))).status_code == 202
    assert receiver.client.post("/webhooks/github", **sent(tag(2))).status_code == 202


def test_a_source_whose_secret_is_not_set_makes_the_file_invalid_and_changes_nothing(receiver: Receiver) -> None:
    source = '[[sources]]\nprovider = "github"\nsecret_env = "NOT_SET_ANYWHERE"\nrepositories = ["acme/*"]\n'
    receiver.path.write_text(RULES.format(name="two") + source, encoding="utf-8")
    receiver.settle()
    assert "NOT_SET_ANYWHERE is not set" in receiver.live.files.state.errors[0]
    assert receiver.app.extensions["services"].rules.rules[0].name == "one"
    assert receiver.app.extensions["intake"].rules.rules[0].name == "one"


def test_config_check_lists_the_file_of_each_process(receiver: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in receiver.environ.items():
        monkeypatch.setenv(name, value)
    said = CliRunner().invoke(main, ["config", "check"])
    assert said.exit_code == 0, said.output
    assert said.output.splitlines()[-1].endswith(": this file")
    receiver.write("two")
    assert "another file" in CliRunner().invoke(main, ["config", "check"]).output.splitlines()[-1]
    told = json.loads(CliRunner().invoke(main, ["config", "check", "--json"]).output)
    assert [process["digest"] == told["digest"] for process in told["processes"]] == [False]


def test_a_process_that_ended_is_no_longer_listed(engine: Engine) -> None:
    now = datetime(2026, 3, 2, 12, tzinfo=UTC)
    with engine.begin() as connection:
        for name, age in (("killed", 80), ("alive", 10)):
            processes.note(
                connection, name, kind="worker", host=name, pid=1, digest=None, errors=(), now=now - timedelta(seconds=age)
            )
        assert [one.host for one in processes.list_running(connection, now=now)] == ["alive"]
        processes.note(connection, "alive", kind="worker", host="alive", pid=1, digest="d", errors=("bad",), now=now)
        (left,) = processes.list_running(connection, now=now - timedelta(seconds=60))
        assert (left.digest, left.errors) == ("d", ["bad"])
        processes.forget(connection, "alive")
        assert not processes.list_running(connection, now=now)


def test_a_job_of_a_removed_target_waits_says_so_and_goes_out_when_the_target_is_back(
    ledger: Engine, http: httpx2.Client, target: Target
) -> None:
    in_force = rules(target.url)
    job = accept(ledger, in_force)
    worker = runner(ledger, http, in_force)
    worker.use(type(in_force)(in_force.rules, {}))
    worker.run([job])
    waiting = row(ledger, job)
    assert (waiting.status, waiting.waiting["code"], waiting.attempts) == ("retrying", "no_rule", 1)
    assert "'main' is not in the configuration" in waiting.waiting["detail"]
    assert (target.posts, target.gets) == ([], [])
    with ledger.begin() as connection:
        connection.execute(sa.update(jobs).values(next_attempt_at=datetime.now(UTC) - timedelta(1)))
    worker.use(in_force)
    worker.run([job])
    assert row(ledger, job).status == "succeeded"


def sent(sample: Any) -> dict[str, Any]:
    return {"data": sample.body, "headers": sample.headers}


def signed_in(receiver: Receiver) -> Any:
    client = receiver.app.test_client()
    form = client.get("/sign-in").text.partition('name="form_token" value="')[2].partition('"')[0]
    assert client.post("/sign-in", data={"token": OPS_TOKEN, "form_token": form}).status_code == 303
    return client

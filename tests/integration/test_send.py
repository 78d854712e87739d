"""`send` signs as the provider does, sends what the receiver takes, and follows the jobs to their releases."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from sqlalchemy.engine import Engine
from werkzeug.serving import make_server

from shared.infra.database import make_engine
from shared.ledger.tables import SCHEMA
from tests import cli_run
from tests.dashboard import ledger
from tests.dashboard.browser_stack import Stack
from tests.migrated import migrate
from tests.target import Target
from webhook.app import create_app

PAYLOADS = Path(__file__).parents[1] / "payloads"


@dataclass(frozen=True, slots=True)
class Receiver:
    environ: dict[str, str]
    url: str
    stack: Stack

    def send(self, *arguments: str) -> cli_run.Done:
        return cli_run.run(self.environ, "send", *arguments)


@pytest.fixture
def receiver(tmp_path: Path) -> Iterator[Receiver]:
    target, url = Target(), f"sqlite:///{tmp_path / 'ledger.sqlite3'}"
    engine: Engine = make_engine(url)
    migrate(engine, SCHEMA)
    config = tmp_path / "tagship.toml"
    config.write_text(
        f'[targets.main]\nurl = "{target.url}"\norg = "acme"\ntoken_env = "T"\n'
        '[[rules]]\nname = "tags"\nrepo = "*:*"\nrefs = ["refs/tags/*", "refs/heads/{default_branch}"]\ntarget = "main"\n'
        'projects = ["app"]\n[[sources]]\nname = "blue"\nprovider = "gitlab"\nrepositories = ["blue/*"]\nsecret_env = "BLUE"\n'
    )
    environ = {
        "DATA_DIR": str(tmp_path),
        "DATABASE_URL": url,
        "TAGSHIP_CONFIG": str(config),
        "GITHUB_WEBHOOK_SECRET": "a-secret-of-github",
        "GITLAB_WEBHOOK_SECRET": "a-secret-of-gitlab",
        "BLUE": "a-secret-of-the-blue",
        "T": "t",
        "GITHUB_API_URL": "off",
        "GITLAB_URL": "off",
    }
    from shared.config.rules_file import load
    from shared.config.settings import from_env

    settings = from_env(environ)
    app = create_app(settings, load(settings))
    server = make_server("127.0.0.1", 0, app, threaded=True)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    address = f"http://127.0.0.1:{server.server_port}"
    yield Receiver(
        {**environ, "PORT": str(server.server_port)}, address, Stack(address, engine, ledger.rules(target.url), target)
    )
    server.shutdown()
    thread.join()
    server.server_close()
    app.extensions["services"].notifier.stop()
    app.extensions["services"].engine.dispose()
    engine.dispose()
    target.close()


@pytest.mark.parametrize("provider", ["github", "gitlab"])
def test_samples_go_on_from_each_other_and_are_followed_to_their_releases(receiver: Receiver, provider: str) -> None:
    stopping = threading.Event()
    heads: list[str] = []

    def work() -> None:
        while not stopping.wait(0.1):
            receiver.stack.work()

    worker = threading.Thread(target=work)
    worker.start()
    try:
        for _ in range(2):
            done = receiver.send("--sample", "tag", "--provider", provider, "--json", "--name", f"v1.{len(heads)}.0")
            assert done.returncode == 0, done.stdout + done.stderr
            said = json.loads(done.stdout)
            assert [(one["http_status"], one["status"]) for one in said["answers"]] == [(202, "accepted")] * 2
            branch, tag = sorted(said["jobs"], key=lambda job: job["ref"])
            assert tag["release_url"] is not None
            assert tag["range"]["commits"] == branch["range"]["commits"] == 3
            assert tag["version"] == f"v1.{len(heads)}.0"
            if heads:  # the second goes on from the first's head
                assert branch["range"]["base"] == tag["range"]["base"] == heads[0]
            heads.append(branch["sha"])
    finally:
        stopping.set()
        worker.join()


def test_a_file_is_sent_byte_for_byte_and_its_provider_is_guessed(receiver: Receiver) -> None:
    for provider, name, says in (
        ("github", "push__annotated_tag.json", "< 202 accepted"),
        ("gitlab", "push_hook__branch_deleted.json", "< 200 ignored: ref_deleted"),
        ("github", "ping__repository.json", "< 200 ignored: ping"),
    ):
        event = ["--event", "ping"] if name.startswith("ping") else []
        done = receiver.send(str(PAYLOADS / provider / name), "--timeout", "0", *event)
        assert f"/webhooks/{provider}" in done.stdout
        assert says in done.stdout, done.stdout + done.stderr


def test_it_is_signed_with_the_secret_of_the_repositorys_source(receiver: Receiver) -> None:
    done = receiver.send("--sample", "branch", "--provider", "gitlab", "--repository", "blue/sky", "--timeout", "0")
    assert "< 202 accepted" in done.stdout
    assert done.returncode == 1, "its job has no release yet"
    assert ": queued" in done.stdout


def test_what_makes_no_release_says_why(receiver: Receiver) -> None:
    done = receiver.send("--sample", "branch", "--name", "elsewhere")
    assert done.returncode == 3
    assert "< 200 ignored: branch_not_matched" in done.stdout
    assert "add it to a rule's refs" in done.stdout


def test_a_refusal_a_receiver_that_is_away_and_bad_input_are_one_sentence(receiver: Receiver, tmp_path: Path) -> None:
    wrong = cli_run.run({**receiver.environ, "GITHUB_WEBHOOK_SECRET": "another-secret"}, "send", "--sample", "branch")
    assert wrong.returncode == 1
    assert "< 401" in wrong.stdout
    away = receiver.send("--sample", "tag", "--url", "http://127.0.0.1:9/webhooks/github")
    assert away.returncode == 1
    assert "is the receiver running" in away.stderr
    odd = tmp_path / "odd.json"
    odd.write_text("{")
    for arguments, says in (
        ([str(odd)], "no JSON"),
        ([], "either a FILE or --sample"),
        ([str(odd), "--sample", "tag"], "either a FILE or --sample"),
    ):
        done = receiver.send(*arguments)
        assert done.returncode == 2
        assert says in done.stderr
    without = {name: value for name, value in receiver.environ.items() if name != "GITLAB_WEBHOOK_SECRET"}
    done = cli_run.run(without, "send", "--sample", "tag", "--provider", "gitlab")
    assert done.returncode == 2
    assert "no webhook secret for gitlab:acme/shop is set here" in done.stderr


def test_the_payload_that_the_readme_sends_by_hand_makes_a_job(receiver: Receiver, tmp_path: Path) -> None:
    text = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")
    file = tmp_path / "push.json"
    file.write_text(text.partition("push.json <<'END'\n")[2].partition("END\n")[0])
    assert "< 202 accepted" in receiver.send(str(file), "--timeout", "0").stdout

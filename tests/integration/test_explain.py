"""`explain` gives the verdict that the receiver then gives, and the body that the worker would begin with."""

from __future__ import annotations

import json
import os
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy.engine import Engine

from shared.config import rules_file
from shared.config.settings import Settings
from tests import cli_run
from tests.migrated import migrate
from webhook.ops.explain import explain

ROOT = Path(__file__).resolve().parents[2]
SAMPLES = sorted((ROOT / "tests" / "payloads").glob("*/*.json"))
NOW = datetime(2026, 6, 1, tzinfo=UTC)
EVENTS = {"push_hook": "Push Hook", "tag_push_hook": "Tag Push Hook", "system_hook": "System Hook"}


def event_of(sample: Path) -> str:
    word = sample.name.partition("__")[0]
    if sample.parent.name == "github":
        return word
    return EVENTS.get(word, word.replace("_", " ").title())


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_the_verdict_is_the_receivers(sample: Path, tmp_path: Path) -> None:
    from shared.infra.database import make_engine
    from shared.ledger.tables import SCHEMA
    from webhook.app import create_app
    from webhook.local.sample_webhooks import sign_github, sign_gitlab

    settings = Settings(
        database_url=f"sqlite:///{tmp_path / 'ledger.sqlite3'}",
        webhook_secrets={"github": ("s",), "gitlab": ("s",)},
        sentry_url="http://127.0.0.1:1",
    )
    engine: Engine = make_engine(settings.database_url)
    migrate(engine, SCHEMA)
    app = create_app(settings)
    payload, event = json.loads(sample.read_bytes()), event_of(sample)
    signed = (
        sign_github(payload, "s", event=event) if sample.parent.name == "github" else sign_gitlab(payload, "s", event=event)
    )
    answer = app.test_client().post(f"/webhooks/{signed.provider}", data=signed.body, headers=dict(signed.headers)).json
    said = explain(signed.provider, event, sample.read_bytes(), rules_file.load(settings), NOW)
    assert answer is not None
    assert (said.status, said.decision.reason) == (answer["status"], answer.get("reason"))
    assert len(said.releases) == len(answer.get("jobs", []))
    app.extensions["services"].notifier.stop()
    app.extensions["services"].engine.dispose()
    engine.dispose()


def run(*arguments: str) -> cli_run.Done:
    return cli_run.run({"PATH": os.environ["PATH"]}, "explain", *arguments)


def test_the_command_prints_the_exact_body_and_the_rule_that_decided() -> None:
    sample = ROOT / "tests" / "payloads" / "github" / "push__annotated_tag.json"
    done = run(str(sample), "--provider", "github", "--event", "push", "--json")
    said = json.loads(done.stdout)
    assert (done.returncode, said["status"]) == (0, "accepted")
    assert said["why"][-1]["matched"] is True
    assert said["releases"][0]["body"]["version"] == said["ref"].removeprefix("refs/tags/")


def test_another_config_than_the_one_in_force_can_be_explained(tmp_path: Path) -> None:
    changed = tmp_path / "changed.toml"
    changed.write_text('[[rules]]\nrepo = "*:*"\nprojects = ["web"]\nrelease = "shop@{tag}"\n')
    sample = ROOT / "tests" / "payloads" / "github" / "push__annotated_tag.json"
    done = run(str(sample), "--provider", "github", "--config", str(changed), "--json")
    assert json.loads(done.stdout)["releases"][0]["body"]["version"].startswith("shop@")


def test_a_tag_push_may_be_called_one_for_either_provider() -> None:
    for provider, name in (("github", "push__annotated_tag"), ("gitlab", "tag_push_hook__annotated")):
        sample = ROOT / "tests" / "payloads" / provider / f"{name}.json"
        assert run(str(sample), "--provider", provider, "--event", "tag_push").returncode == 0


def test_a_payload_that_makes_no_release_is_exit_3_and_a_broken_one_exit_2(tmp_path: Path) -> None:
    sample = ROOT / "tests" / "payloads" / "github" / "push__branch_not_default.json"
    assert run(str(sample), "--provider", "github").returncode == 3
    broken = tmp_path / "broken.json"
    broken.write_text('{"ref": 7}')
    done = run(str(broken), "--provider", "github")
    assert (done.returncode, "repository" in done.stderr, "--event" in done.stderr) == (2, True, True)
    named = run(str(broken), "--provider", "github", "--event", "push")
    assert (named.returncode, "--event" in named.stderr) == (2, False)
    assert run(str(sample), "--provider", "gitea").returncode == 2

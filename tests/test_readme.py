"""The README stays true: each command in it is one that a test or CI runs, and the demo does what it says."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from shared.config.rules_file import load
from shared.config.settings import Settings
from shared.domain.provider_settings import APIS, PROVIDER_NAMES, secret_variable
from tests.cli_run import run
from tests.e2e.running import descendants
from webhook.local.stack import read_procfile

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")

# command -> where it is run
RUN_BY = {
    "make demo": "test_the_demo_shows_what_the_readme_shows",
    "make run": "tests/e2e/test_stack.py",
    "make lint": ".ci/run",
    "make test": ".ci/run",
    "make test-world": ".ci/run",
    "make fuzz": "tests/fuzz/test_fuzz.py",
    "make audit": "tests/audit/test_audit.py",
    ".venv/bin/python -m webhook send --sample tag": "tests/integration/test_send.py",
    ".venv/bin/python -m webhook config check": "test_the_config_command_checks_the_sample_rules",
}


def test_each_command_of_the_readme_is_run_somewhere() -> None:
    commands = [line for block in re.findall(r"```sh\n(.*?)```", README, re.DOTALL) for line in block.splitlines()]
    assert commands
    assert set(commands) == set(RUN_BY)


def test_the_make_targets_of_the_readme_exist() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    for command in RUN_BY:
        if command.startswith("make "):
            assert re.search(rf"^{command[5:]}:", makefile, re.MULTILINE), command


def sample_rules(folder: Path) -> Path:
    sample = "\n".join(re.findall(r"```toml\n(.*?)```", README, re.DOTALL))
    path = folder / "tagship.toml"
    path.write_text(sample.replace('["main", "eu"]', '["main"]'), encoding="utf-8")
    return path


def test_the_sample_rules_load(tmp_path: Path) -> None:
    rules = load(Settings(config_path=sample_rules(tmp_path)))
    assert [rule.name for rule in rules.rules] == ["shop tags"]


def test_the_config_command_checks_the_sample_rules(tmp_path: Path) -> None:
    environ = {"TAGSHIP_CONFIG": str(sample_rules(tmp_path)), "ACME_SENTRY_TOKEN": "t", "ACME_WEBHOOK_SECRET": "s", "PATH": ""}
    done = run(environ, "config", "check")
    assert (done.returncode, done.stdout) == (0, f"fine; rules: 1, targets: 1, sources: 1 ({tmp_path / 'tagship.toml'})\n")


def test_each_setting_of_the_example_file_is_one_that_is_read() -> None:
    readers = [
        ROOT / "shared" / "config" / "settings.py",
        ROOT / "shared" / "config" / "variable_reader.py",
        ROOT / "shared" / "domain" / "provider_settings.py",
        ROOT / "shared" / "infra" / "outgoing.py",
        ROOT / "webhook" / "local" / "run.py",
        *(ROOT / "releases").glob("**/*.py"),
    ]
    source = "\n".join(path.read_text(encoding="utf-8") for path in readers)
    names = re.findall(r"^#?([A-Z_]+)=", (ROOT / ".env.example").read_text(encoding="utf-8"), re.MULTILINE)
    assert len(names) > 20
    for name in names:
        assert f'"{name}"' in source or name.endswith("_WEBHOOK_SECRET"), name


@pytest.mark.parametrize("provider", PROVIDER_NAMES)
def test_the_settings_of_each_provider_are_told(provider: str) -> None:
    example, page = ((ROOT / name).read_text(encoding="utf-8") for name in (".env.example", "docs/contract.md"))
    for name in (secret_variable(provider), APIS[provider].address, APIS[provider].token):
        assert f"#{name}=" in example
        assert f"`{name}`" in page


@pytest.mark.e2e
def test_the_demo_shows_what_the_readme_shows() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "webhook", "demo"], cwd=ROOT, capture_output=True, text=True, timeout=110, check=False
    )
    assert done.returncode == 0, done.stdout[-3000:]
    shown = [line for line in README.splitlines() if line.startswith(("> GitHub", "> GitLab"))]
    assert len(shown) == 6
    for line in [*shown, "demo: every expected release is there"]:
        assert line in done.stdout
    assert not [command for _, command in descendants(1) if "tagship-demo-" in command], "the demo left something behind"


def test_the_parts_of_the_stack_are_those_of_the_procfile() -> None:
    assert set(read_procfile(ROOT / "Procfile")) == {"web", "worker", "sweeper", "releases", "release"}

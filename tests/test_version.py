"""One version number: every program shows it and our requests carry it."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from shared import __version__
from shared.infra.http_client import make_client

ROOT = Path(__file__).resolve().parents[1]


@pytest.mark.parametrize("program", ["webhook", "worker", "releases"])
def test_each_program_shows_the_version(program: str) -> None:
    command = [sys.executable, "-m", program, "--version"]
    done = subprocess.run(command, cwd=ROOT, env={"PATH": ""}, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, f"tagship, version {__version__}\n", "")


def test_our_requests_carry_the_version() -> None:
    with make_client() as client:
        assert client.headers["User-Agent"] == f"tagship/{__version__}"


def test_the_version_is_written_down_once() -> None:
    assert re.fullmatch(r"\d+\.\d+\.\d+", __version__)
    files = [path for folder in ("shared", "webhook", "worker", "releases") for path in (ROOT / folder).rglob("*.py")]
    assert [path.name for path in files if f'"{__version__}"' in path.read_text(encoding="utf-8")] == ["__init__.py"]


def test_the_changelog_has_a_section_for_what_is_not_released_yet() -> None:
    assert "\n## Unreleased\n" in (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")

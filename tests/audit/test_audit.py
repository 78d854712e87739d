"""The audit finds what it should, and says when it could not look."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.audit import licences, vulnerabilities
from tests.audit.__main__ import LOCKS, ROOT


def test_every_dependency_is_pinned_with_hashes() -> None:
    for file in LOCKS:
        assert len(licences.pinned(file)) >= 1
        assert licences.unhashed(file) == []


def test_a_line_without_hash_is_found(tmp_path: Path) -> None:
    lock = tmp_path / "requirements.txt"
    lock.write_text("# made\na==1 \\\n    --hash=sha256:00\nb==2\nc==3 ; sys_platform == 'x' \\\n    --hash=sha256:11\n")
    assert licences.pinned(lock) == {"a": "1", "b": "2", "c": "3"}
    assert licences.unhashed(lock) == ["b"]


def test_each_licence_of_the_pinned_dependencies_is_accepted() -> None:
    found = licences.read(LOCKS)
    assert [entry for entry in found if entry.fault] == []
    assert len(found) > 60
    named = {entry.name: entry.licence for entry in found if entry.is_runtime}
    assert named["flask"] == "BSD-3-Clause"
    assert sum(1 for licence in named.values() if licence is None) < 8, "most of them are installed here and can be read"


@pytest.mark.parametrize(
    ("expression", "is_allowed"),
    [
        ("MIT", True),
        ("Apache-2.0 OR GPL-3.0-only", True),
        ("MIT AND PSF-2.0", True),
        ("MIT AND GPL-3.0-only", False),
        ("GPL-3.0-only", False),
        ("AGPL-3.0-or-later", False),
        ("Proprietary", False),
        ("", False),
    ],
)
def test_alternatives_and_what_holds_together(expression: str, is_allowed: bool) -> None:
    assert licences.is_allowed(expression) is is_allowed


def test_a_tool_may_have_a_licence_that_the_product_may_not() -> None:
    assert licences.judge("sentry-cli", "1", "FSL-1.1-MIT", is_runtime=False).fault is None
    assert licences.judge("sentry-cli", "1", "FSL-1.1-MIT", is_runtime=True).fault == "is not on the list"
    assert licences.judge("x", "1", "", is_runtime=False).fault == "says no licence"
    assert licences.judge("x", "1", None, is_runtime=True).fault is None


def test_what_pip_audit_says_is_read() -> None:
    bug = {"id": "PYSEC-1", "fix_versions": ["2.0"], "aliases": []}
    known = {"dependencies": [{"name": "a", "version": "1", "vulns": [bug]}, {"name": "b", "version": "2", "vulns": []}]}
    checked = vulnerabilities.read(json.dumps(known), "")
    assert (checked.total, checked.asked, checked.why) == (2, 2, None)
    assert checked.found == ("a 1: PYSEC-1, mended in 2.0",)


@pytest.mark.parametrize(
    ("output", "errors", "why"),
    [
        ('{"dependencies": [{"name": "a", "skip_reason": "not found"}]}', "", "cannot be reached"),
        ("", "ERROR: could not connect\nhost is away", "host is away"),
        ("", "", "it said nothing"),
        ("[]", "x: No module named pip_audit", "No module named pip_audit"),
    ],
)
def test_a_source_that_is_away_is_told(output: str, errors: str, why: str) -> None:
    checked = vulnerabilities.read(output, errors)
    assert (checked.asked, checked.found) == (0, ())
    assert checked.why is not None
    assert why in checked.why


@pytest.mark.e2e
def test_the_audit_runs_and_finds_nothing() -> None:
    """With or without a way out: what could not be asked is told, and what was found would be 1."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.audit"], cwd=ROOT, capture_output=True, text=True, timeout=110, check=False
    )
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    assert "flask" in done.stdout
    assert ", 0 faults" in done.stdout

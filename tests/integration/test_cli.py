"""The operators' command line as people run it: exit codes, JSON, dry runs, the bar on a terminal, hostile texts."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy.engine import Engine

from shared.models import jobs as job_table
from tests.integration.test_ledger import accept, claim, fail, make_push, make_work, row

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def environ(engine: Engine, tmp_path: Path) -> dict[str, str]:
    return {
        "DATABASE_URL": engine.url.render_as_string(hide_password=False),
        "DATA_DIR": str(tmp_path),
        "PATH": "",
        "LANG": "C.UTF-8",
        "TERM": "xterm",
    }


def call(environ: dict[str, str], *arguments: str, code: int = 0) -> Any:
    done = subprocess.run(
        [sys.executable, "-m", "webhook", *arguments], cwd=ROOT, env=environ, capture_output=True, text=True, check=False
    )
    assert done.returncode == code, done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    return json.loads(done.stdout) if "--json" in arguments and done.stdout else done


def make_failed(engine: Engine, n: int = 1, repository: str = "acme/shop") -> str:
    work = (make_work(version=f"v{n}"),)
    job = claim(engine, accept(engine, push=make_push(f"refs/tags/v{n}"), work=work, delivery_id=f"d-{n}").jobs[0])
    assert job is not None
    assert fail(engine, job)
    return job.id


def test_looking_at_jobs_deliveries_and_targets(engine: Engine, environ: dict[str, str]) -> None:
    job_id = make_failed(engine)
    assert [job["id"] for job in call(environ, "jobs", "list", "--status", "failed", "--json")["items"]] == [job_id]
    shown = call(environ, "jobs", "show", job_id, "--json")
    assert (shown["reason"], shown["history"][0]["outcome"]) == ("target_refused", "failed")
    assert call(environ, "deliveries", "show", "d-1", "--json")["jobs"] == [job_id]
    assert [item["id"] for item in call(environ, "deliveries", "list", "--json")["items"]] == ["d-1"]
    (target,) = call(environ, "targets", "list", "--json")["items"]
    assert (target["name"], target["state"]) == ("default", "ok")
    for arguments in (("jobs", "list"), ("jobs", "show", job_id), ("deliveries", "show", "d-1")):
        assert job_id in call(environ, *arguments).stdout


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (("jobs", "list"), 3),
        (("jobs", "show", "x"), 3),
        (("jobs", "replay", "x"), 3),
        (("jobs", "cancel", "x"), 3),
        (("jobs", "replay", "--status", "failed"), 3),
        (("jobs", "replay", "--status", "failed", "--dry-run"), 3),
        (("deliveries", "list", "--provider", "none"), 3),
        (("deliveries", "show", "x"), 3),
        (("deliveries", "replay", "x"), 3),
        (("targets", "pause", "x"), 3),
        (("jobs", "replay"), 2),
        (("jobs", "replay", "x", "--status", "failed"), 2),
        (("jobs", "list", "--limit", "201"), 2),
        (("jobs", "list", "--status", "done"), 2),
        (("jobs", "list", "--since", "soon"), 2),
        (("jobs", "list", "--cursor", "x"), 2),
        (("jobs", "list", "--colour", "red"), 2),
        (("jobs", "fly"), 2),
    ],
)
def test_exit_codes_tell_wrong_use_from_nothing_matched(environ: dict[str, str], arguments: tuple[str, ...], code: int) -> None:
    assert call(environ, *arguments, code=code).stderr


def test_a_state_that_does_not_allow_the_verb_is_exit_code_1(engine: Engine, environ: dict[str, str]) -> None:
    job_id = make_failed(engine)
    assert "cannot be cancelled" in call(environ, "jobs", "cancel", job_id, code=1).stderr


def test_one_job_is_replayed_and_then_cancelled(engine: Engine, environ: dict[str, str]) -> None:
    job_id = make_failed(engine)
    call(environ, "jobs", "replay", job_id, "--dry-run")
    assert row(engine, job_id).status == "failed"
    call(environ, "jobs", "replay", job_id)
    assert (row(engine, job_id).status, row(engine, job_id).trigger) == ("queued", "replay")
    assert call(environ, "jobs", "cancel", job_id, "--json")["status"] == "cancelled"


def test_all_that_failed_are_counted_then_replayed(engine: Engine, environ: dict[str, str]) -> None:
    ids = [make_failed(engine, n) for n in range(3)]
    assert call(environ, "jobs", "replay", "--status", "failed", "--dry-run", "--json") == {"matched": 3}
    assert {row(engine, job_id).status for job_id in ids} == {"failed"}
    done = call(environ, "jobs", "replay", "--status", "failed")
    assert done.stdout.startswith("3 of 3 queued again")
    assert "queueing" not in done.stderr, "no bar where nobody looks"
    assert {row(engine, job_id).status for job_id in ids} == {"queued"}


def test_a_terminal_gets_a_bar(engine: Engine, environ: dict[str, str]) -> None:
    make_failed(engine)
    ours, theirs = pty.openpty()
    command = [sys.executable, "-m", "webhook", "jobs", "replay", "--status", "failed", "--json"]
    done = subprocess.run(command, cwd=ROOT, env=environ, stdout=subprocess.PIPE, stderr=theirs, check=False)
    os.close(theirs)
    with os.fdopen(ours, "rb") as terminal:
        shown = os.read(terminal.fileno(), 65_536).decode()
    assert (done.returncode, json.loads(done.stdout)) == (0, {"matched": 1, "replayed": 1})
    assert "queueing" in shown
    assert "100%" in shown


def test_pausing_and_resuming_a_target(environ: dict[str, str]) -> None:
    call(environ, "targets", "pause", "default")
    assert call(environ, "targets", "list", "--json")["items"][0]["state"] == "paused"
    call(environ, "targets", "resume", "default")
    assert call(environ, "targets", "list", "--json")["items"][0]["state"] == "ok"


def test_a_hostile_name_cannot_steer_the_terminal(engine: Engine, environ: dict[str, str]) -> None:
    job_id = make_failed(engine)
    evil = "acme/\x1b]0;owned\x07\x1b[2J\u202eshop"
    with engine.begin() as connection:
        connection.execute(job_table.update().values(repository=evil, error=evil))
    for arguments in (("jobs", "list"), ("jobs", "show", job_id)):
        shown = call(environ, *arguments).stdout
        assert "\x1b" not in shown
        assert "\u202e" not in shown
        assert "\\x1b" in shown


def test_an_old_schema_is_one_sentence(environ: dict[str, str], tmp_path: Path) -> None:
    environ["DATABASE_URL"] = f"sqlite:///{tmp_path / 'empty.sqlite3'}"
    assert "db upgrade" in call(environ, "jobs", "list", code=2).stderr


def test_times_are_read_as_everywhere(engine: Engine, environ: dict[str, str]) -> None:
    accept(engine, now=datetime.now(UTC))
    assert len(call(environ, "jobs", "list", "--since", "2h", "--json")["items"]) == 1

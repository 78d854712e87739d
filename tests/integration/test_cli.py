"""The operators' command line as people run it: exit codes, JSON, dry runs, the bar on a terminal, hostile texts."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy.engine import Engine

from shared.ledger.tables import jobs as job_table
from tests.cli_run import ROOT, call
from tests.databases import ON_SQLITE
from tests.ledger_rows import accept, claim, fail, make_push, make_work, row


@pytest.fixture
def environ(engine: Engine, tmp_path: Path) -> dict[str, str]:
    return {
        "DATABASE_URL": engine.url.render_as_string(hide_password=False),
        "DATA_DIR": str(tmp_path),
        "PATH": "",
        "LANG": "C.UTF-8",
        "TERM": "xterm",
    }


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


def test_the_beginning_of_an_id_is_enough_where_no_other_begins_so(engine: Engine, environ: dict[str, str]) -> None:
    one, other = make_failed(engine, 1), make_failed(engine, 2)
    shared = one[: next(place for place in range(32) if one[place] != other[place])]
    assert len(shared) >= 4
    assert call(environ, "jobs", "show", one[: len(shared) + 1], "--json")["id"] == one
    told = call(environ, "jobs", "show", shared, code=2).stderr
    assert one in told
    assert other in told
    accept(engine, delivery_id="abcd-1%_x")
    accept(engine, delivery_id="abcd-12")
    assert call(environ, "deliveries", "show", "abcd-1%", "--json")["id"] == "abcd-1%_x"
    assert "abcd-12" in call(environ, "deliveries", "show", "abcd-1", code=2).stderr
    for too_short in ("a", "abc", "abcd-1_"):
        call(environ, "deliveries", "show", too_short, code=3)
    accept(engine, delivery_id="abcd-1")
    assert call(environ, "deliveries", "show", "abcd-1", "--json")["id"] == "abcd-1", "one that is equal is meant"
    call(environ, "deliveries", "show", "abcd-12", "--provider", "gitlab", code=3)


def test_a_job_is_shown_for_people(engine: Engine, environ: dict[str, str]) -> None:
    job_id = make_failed(engine)
    found = {
        "source": "api",
        "base": "1" * 40,
        "head": "2" * 40,
        "commits": 3,
        "with_files": 1,
        "partial": None,
        "proven": True,
    }
    waiting = {"code": "rate_limited", "detail": "the API's limit is used up", "until": "2026-03-02T12:00:00Z"}
    with engine.begin() as connection:
        warned = [{"code": "ref_differs", "detail": "the target keeps \x1b[1mmain"}]
        connection.execute(job_table.update().values(range=found, warnings=warned))
    listed = call(environ, "jobs", "list", "--warning", "ref_differs").stdout
    assert "warns: ref_differs" in listed
    call(environ, "jobs", "list", "--warning", "not_finalized", code=3)
    shown = call(environ, "jobs", "show", job_id).stdout
    assert "3 commits, 1 with their files, 111111111111..222222222222, from the provider's API; proven" in shown
    assert "{" not in shown
    assert "warning ref_differs: the target keeps \\x1b[1mmain. The target keeps another ref" in shown
    assert "advice" in shown
    with engine.begin() as connection:
        partial = {**found, "source": "none", "base": None, "commits": 1, "with_files": 1, "partial": "no token"}
        connection.execute(job_table.update().values(status="queued", waiting=waiting, range=partial))
    shown = call(environ, "jobs", "show", job_id).stdout
    assert "1 commit, 222222222222, from nowhere: none was found; partial: no token" in shown
    assert "rate_limited until 2026-03-02T12:00:00Z: the API's limit is used up" in shown
    assert "resumes automatically when the provider's limit ends" in shown


def test_a_list_that_was_cut_says_so_and_goes_on(engine: Engine, environ: dict[str, str]) -> None:
    job_id = make_failed(engine)
    with engine.begin() as connection:
        first = connection.execute(job_table.select()).one()._asdict()
        copies = [{**first, "id": f"{n:032x}", "key": f"k{n}", "repository": "acme/other"} for n in range(2**126, 2**126 + 505)]
        connection.execute(job_table.insert(), copies)
    wanted = ("--status", "failed", "--repository", "acme/shop", "--provider", "github")
    page = call(environ, "jobs", "list", *wanted, "--json")
    assert page["items"] == []
    assert "only 500 rows were looked at; go on with --cursor" in call(environ, "jobs", "list", *wanted).stderr
    page = call(environ, "jobs", "list", *wanted, "--cursor", page["next_cursor"], "--json")
    assert ([job["id"] for job in page["items"]], page["next_cursor"]) == ([job_id], None)


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
@ON_SQLITE
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


@ON_SQLITE
def test_a_terminal_gets_a_bar(engine: Engine, environ: dict[str, str]) -> None:
    make_failed(engine)
    ours, theirs = pty.openpty()
    command = [sys.executable, "-m", "webhook", "jobs", "replay", "--status", "failed", "--json"]
    done = subprocess.run(command, cwd=ROOT, env=environ, stdout=subprocess.PIPE, stderr=theirs, check=False)
    os.close(theirs)
    with os.fdopen(ours, "rb") as terminal:
        shown = os.read(terminal.fileno(), 65_536).decode()
    answer = json.loads(done.stdout)
    assert (done.returncode, answer["matched"], answer["replayed"]) == (0, 1, 1)
    assert "queueing" in shown
    assert "100%" in shown


def test_pausing_and_resuming_a_target(environ: dict[str, str]) -> None:
    call(environ, "targets", "pause", "default")
    assert call(environ, "targets", "list", "--json")["items"][0]["state"] == "paused"
    call(environ, "targets", "resume", "default")
    assert call(environ, "targets", "list", "--json")["items"][0]["state"] == "ok"


def test_a_hostile_name_cannot_steer_the_terminal(engine: Engine, environ: dict[str, str]) -> None:
    job_id = make_failed(engine)
    evil = "acme/\x1b]0;owned\x07\x1b[2J\u202e\u200b\ufe0fنسخة"
    with engine.begin() as connection:
        connection.execute(job_table.update().values(repository=evil, error=evil))
    for arguments in (("jobs", "list"), ("jobs", "show", job_id)):
        shown = call(environ, *arguments).stdout
        assert "\x1b" not in shown
        assert not set(shown) & {"\u202e", "\u200b", "\ufe0f"}
        assert "نسخة\u2069" in shown, "isolated from what stands beside it"
        assert "\\x1b" in shown


def test_an_old_schema_is_one_sentence(environ: dict[str, str], tmp_path: Path) -> None:
    environ["DATABASE_URL"] = f"sqlite:///{tmp_path / 'empty.sqlite3'}"
    assert "db upgrade" in call(environ, "jobs", "list", code=2).stderr


def test_times_are_read_as_everywhere(engine: Engine, environ: dict[str, str]) -> None:
    accept(engine, now=datetime.now(UTC))
    assert len(call(environ, "jobs", "list", "--since", "2h", "--json")["items"]) == 1

"""What an operator's forms change in the ledger, and that the audit log has a line for each."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from flask.testing import FlaskClient
from sqlalchemy.engine import Engine

from shared.ledger import audit
from shared.ledger.tables import jobs, target_states
from tests import cli_run
from tests.dashboard import ledger
from tests.dashboard.ledger import Filled


def job(engine: Engine, job_id: str) -> Any:
    with engine.begin() as connection:
        return connection.execute(sa.select(jobs).where(jobs.c.id == job_id)).one()


def last_entry(engine: Engine) -> tuple[str, str, str | None]:
    with engine.begin() as connection:
        row = audit.list_entries(connection, before=None, limit=1)[0]
        return row.role, row.action, row.subject


def test_a_failed_job_is_replayed(operator: FlaskClient, engine: Engine, filled: Filled) -> None:
    answer = ledger.act(operator, f"/jobs/{filled.failed}/replay")
    assert (answer.status_code, answer.location) == (303, f"/jobs/{filled.failed}")
    assert (job(engine, filled.failed).status, job(engine, filled.failed).trigger) == ("queued", "replay")
    assert last_entry(engine) == ("operator", "job_replay", filled.failed)


def test_a_waiting_job_is_cancelled(operator: FlaskClient, engine: Engine, filled: Filled) -> None:
    assert ledger.act(operator, f"/jobs/{filled.queued}/cancel").status_code == 303
    assert job(engine, filled.queued).status == "cancelled"
    assert last_entry(engine) == ("operator", "job_cancel", filled.queued)


def test_what_the_state_does_not_allow_is_a_409_page_and_no_line(operator: FlaskClient, engine: Engine, filled: Filled) -> None:
    for address in (f"/jobs/{filled.succeeded}/replay", f"/jobs/{filled.failed}/cancel"):
        answer = ledger.act(operator, address)
        assert answer.status_code == 409
        assert "cannot be" in answer.text
    assert last_entry(engine)[1] == "sign_in"
    assert ledger.act(operator, f"/jobs/{'0' * 32}/replay").status_code == 404


def test_a_delivery_is_decided_again(operator: FlaskClient, engine: Engine, filled: Filled) -> None:
    answer = ledger.act(operator, f"/deliveries/{filled.delivery}/replay", provider="github")
    assert answer.status_code == 303
    assert "its jobs are queued" in operator.get(answer.location).text
    assert job(engine, filled.failed).status == "queued"
    again = ledger.act(operator, f"/deliveries/{filled.delivery}/replay", provider="github")
    assert "nothing is left to do" in operator.get(again.location).text
    assert ledger.act(operator, "/deliveries/d-refused/replay").status_code == 409


def test_a_bulk_replay_counts_first_then_shows_its_progress_and_can_be_stopped(
    operator: FlaskClient, engine: Engine, filled: Filled
) -> None:
    confirm = operator.get("/jobs/replay?repository=acme/shop").text
    assert "Replay 2 jobs?" in confirm
    assert job(engine, filled.failed).status == "failed"
    answer = ledger.act(operator, "/jobs/replay", repository="acme/shop")
    assert answer.status_code == 303
    progress = operator.get(answer.location).text
    assert "0 of 2 done" in progress
    assert job(engine, filled.failed).status == job(engine, filled.cancelled).status == "queued"
    ledger.act(operator, answer.location + "/cancel")
    assert "2 of 2 done" in operator.get(answer.location).text
    assert last_entry(engine)[1] == "jobs_cancel"
    assert job(engine, filled.queued).status == "queued"  # not one of the replay's own


def test_a_bulk_replay_without_a_filter_is_refused(operator: FlaskClient, engine: Engine, filled: Filled) -> None:
    assert operator.get("/jobs/replay").status_code == 400
    assert ledger.act(operator, "/jobs/replay").status_code == 400
    assert ledger.act(operator, "/jobs/replay", status="ill").status_code == 400
    assert job(engine, filled.failed).status == "failed"


def test_a_target_is_resumed_and_paused(operator: FlaskClient, engine: Engine, filled: Filled) -> None:
    def state() -> str:
        with engine.begin() as connection:
            return str(connection.execute(sa.select(target_states.c.state)).scalar_one())

    assert "Resume" in operator.get("/targets").text
    ledger.act(operator, "/targets/main/resume")
    assert (state(), last_entry(engine)) == ("ok", ("operator", "target_resume", "main"))
    ledger.act(operator, "/targets/main/pause")
    assert (state(), last_entry(engine)) == ("paused", ("operator", "target_pause", "main"))
    assert ledger.act(operator, "/targets/none/pause").status_code == 404


def test_the_audit_log_shows_each_act(operator: FlaskClient, filled: Filled) -> None:
    ledger.act(operator, f"/jobs/{filled.failed}/replay")
    ledger.act(operator, "/targets/main/resume")
    text = operator.get("/audit").text
    for part in ("sign in", "job replay", "target resume", filled.failed, "127.0.0.1", "dashboard", "operator"):
        assert part in text


def test_the_audit_log_has_acts_of_the_api_and_a_repeated_request_once(
    stranger: FlaskClient, engine: Engine, filled: Filled
) -> None:
    headers = {"Authorization": f"Bearer {ledger.OPERATOR}", "Idempotency-Key": "once"}
    for _ in range(2):
        assert stranger.post(f"/api/v1/jobs/{filled.failed}/replay", headers=headers).status_code == 202
    assert stranger.post("/api/v1/targets/main/resume", headers={**headers, "Idempotency-Key": "two"}).status_code == 202
    assert stranger.post("/api/v1/jobs/replay", json={"filter": {"status": "cancelled"}}, headers=headers).status_code == 202
    with engine.begin() as connection:
        found = [(row.door, row.action, row.subject) for row in audit.list_entries(connection, before=None, limit=9)]
    assert found == [
        ("api", "jobs_replay", None),
        ("api", "target_resume", "main"),
        ("api", "job_replay", filled.failed),
    ]


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_the_audit_log_has_acts_of_the_command_line(engine: Engine, filled: Filled, tmp_path: Path) -> None:
    environ = {"DATABASE_URL": engine.url.render_as_string(hide_password=False), "DATA_DIR": str(tmp_path)}
    for words in (
        ["jobs", "replay", filled.failed],
        ["jobs", "cancel", filled.queued],
        ["jobs", "replay", "--status", "cancelled", "--dry-run"],
        ["jobs", "replay", "--status", "cancelled"],
        ["targets", "resume", "default"],
    ):
        cli_run.call(environ, *words)
    with engine.begin() as connection:
        found = [(row.door, row.action) for row in audit.list_entries(connection, before=None, limit=9)]
    assert found == [("cli", action) for action in ("target_resume", "jobs_replay", "job_cancel", "job_replay")]

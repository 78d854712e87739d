"""Every act of an operator through every interface: the same result, the same audit line, the same log event."""

from __future__ import annotations

import ast
import json
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Protocol

import pytest
import sqlalchemy as sa
from flask import Flask
from sqlalchemy.engine import Engine
from structlog.testing import capture_logs

from shared.domain.push import Repository
from shared.errors import BadParameter, Conflict, NotFound
from shared.ledger import audit, bulk_acts, reconcile_runs, target_states
from shared.ledger.tables import jobs
from shared.reconcile import RECENT_TAGS
from tests.cli_run import run
from tests.dashboard import ledger
from tests.dashboard.ledger import Filled
from tests.databases import ON_SQLITE
from webhook.app import create_app
from webhook.cli.common import ACTOR
from webhook.ops import operations
from webhook.services import Services
from worker.sweeper.bulk_finisher import BulkFinisher

ROOT = Path(__file__).resolve().parents[2]
RULES = """
[targets.main]
url = "http://127.0.0.1:1"
org = "acme"
token_env = "T"

[[rules]]
name = "tags"
repo = "*:*"
refs = ["refs/tags/*"]
projects = ["app"]
"""
INTERFACES = ("dashboard", "api", "cli")


class Interface(Protocol):
    """Does an act as a user of it would, with these words; gives the events that it logged."""

    def __call__(self, act: str, *words: str) -> list[dict[str, Any]]: ...


@pytest.fixture
def app(engine: Engine) -> Iterator[Flask]:
    made = create_app(ledger.made_settings(engine), ledger.rules())
    yield made
    made.extensions["services"].notifier.stop(0.1)
    made.extensions["services"].engine.dispose()


@pytest.fixture
def filled(engine: Engine) -> Filled:
    found = ledger.fill(engine, ledger.rules())
    with engine.begin() as connection:
        target_states.resume(connection, "main", now=datetime.now(UTC))
    return found


def of_dashboard(app: Flask) -> Interface:
    client = app.test_client()
    ledger.sign_in(client)
    addresses: dict[str, Callable[..., tuple[str, dict[str, str]]]] = {
        "replay job": lambda job: (f"/jobs/{job}/replay", {}),
        "cancel job": lambda job: (f"/jobs/{job}/cancel", {}),
        "recollect job": lambda job: (f"/jobs/{job}/recollect", {}),
        "replay jobs": lambda status: ("/jobs/replay", {"status": status}),
        "recollect jobs": lambda status: ("/jobs/recollect", {"status": status}),
        "cancel replay": lambda seq: (f"/replays/{seq}/cancel", {}),
        "replay delivery": lambda delivery: (f"/deliveries/{delivery}/replay", {}),
        "pause": lambda name: (f"/targets/{name}/pause", {}),
        "resume": lambda name: (f"/targets/{name}/resume", {}),
        "check": lambda name: (f"/targets/{name}/check", {}),
        "compare": lambda name: (f"/repositories/github/{name}/compare", {}),
        "reconcile": lambda name: (f"/repositories/github/{name}/compare", {"creates": "1"}),
        "backfill": lambda name: (f"/repositories/github/{name}/compare", {"creates": "1", "tags": "all"}),
        "backfill with deploys": lambda name: (
            f"/repositories/github/{name}/compare",
            {"creates": "1", "tags": "all", "deploys": "1"},
        ),
    }

    def do(act: str, *words: str) -> list[dict[str, Any]]:
        address, fields = addresses[act](*words)
        with capture_logs() as events:
            assert ledger.act(client, address, **fields).status_code == (200 if act == "check" else 303)
        return [dict(event) for event in events]

    return do


def of_api(app: Flask) -> Interface:
    client = app.test_client()
    calls: dict[str, Callable[..., tuple[str, Any]]] = {
        "replay job": lambda job: (f"jobs/{job}/replay", None),
        "cancel job": lambda job: (f"jobs/{job}/cancel", None),
        "recollect job": lambda job: (f"jobs/{job}/recollect", None),
        "replay jobs": lambda status: ("jobs/replay", {"filter": {"status": status}}),
        "recollect jobs": lambda status: ("jobs/recollect", {"filter": {"status": status}}),
        "cancel replay": lambda seq: (f"replays/{seq}/cancel", None),
        "replay delivery": lambda delivery: (f"deliveries/{delivery}/replay", None),
        "pause": lambda name: (f"targets/{name}/pause", None),
        "resume": lambda name: (f"targets/{name}/resume", None),
        "check": lambda name: (f"targets/{name}/check", None),
    }

    def do(act: str, *words: str) -> list[dict[str, Any]]:
        path, body = calls[act](*words)
        with capture_logs() as events:
            answer = client.post(f"/api/v1/{path}", json=body, headers={"Authorization": f"Bearer {ledger.OPERATOR}"})
        assert answer.status_code == (200 if act == "check" else 202), answer.text
        return [dict(event) for event in events]

    return do


def of_cli(engine: Engine, folder: Path) -> Interface:
    (folder / "tagship.toml").write_text(RULES)
    environ = {
        "DATABASE_URL": engine.url.render_as_string(hide_password=False),
        "DATA_DIR": str(folder),
        "TAGSHIP_CONFIG": str(folder / "tagship.toml"),
        "GITHUB_API_URL": "http://127.0.0.1:1",  # nobody answers: the act is recorded all the same
        "PATH": os.environ["PATH"],
    }
    commands: dict[str, Callable[..., tuple[str, ...]]] = {
        "replay job": lambda job: ("jobs", "replay", job),
        "cancel job": lambda job: ("jobs", "cancel", job),
        "recollect job": lambda job: ("jobs", "recollect", job),
        "replay jobs": lambda status: ("jobs", "replay", "--status", status),
        "recollect jobs": lambda status: ("jobs", "recollect", "--status", status),
        "cancel replay": lambda seq: ("replays", "cancel", seq),
        "replay delivery": lambda delivery: ("deliveries", "replay", delivery),
        "pause": lambda name: ("targets", "pause", name),
        "resume": lambda name: ("targets", "resume", name),
        "check": lambda name: ("targets", "check", name),
        "compare": lambda name: ("reconcile", f"github:{name}", "--dry-run"),
        "reconcile": lambda name: ("reconcile", f"github:{name}"),
        "backfill": lambda name: ("backfill", f"github:{name}"),
        "backfill with deploys": lambda name: ("backfill", f"github:{name}", "--with-deploys"),
    }

    def do(act: str, *words: str) -> list[dict[str, Any]]:
        done = run(environ, *commands[act](*words))
        asks_others = act.partition(" ")[0] in ("compare", "reconcile", "backfill", "check")  # and nobody answers
        assert done.returncode == (1 if asks_others else 0), done.stderr
        return [json.loads(line) for line in done.stderr.splitlines() if line.startswith("{")]

    return do


@pytest.fixture
def interface(request: pytest.FixtureRequest, app: Flask, engine: Engine, tmp_path: Path) -> Interface:
    if request.param == "dashboard":
        return of_dashboard(app)
    return of_api(app) if request.param == "api" else of_cli(engine, tmp_path)


@dataclass(frozen=True)
class Row:
    """A row of the table: what is asked, and what everyone must find afterwards."""

    act: str
    words: Callable[[Filled], tuple[str, ...]]
    action: str
    subject: Callable[[Filled], str | None]
    detail: Callable[[Filled], dict[str, Any] | None] = lambda _: None
    logged: Callable[[Filled], dict[str, Any]] | None = None  # beside door and subject; as the audit line where None
    statuses: tuple[tuple[str, str], ...] = ()  # jobs by their field of Filled, as they stand afterwards
    interfaces: tuple[str, ...] = INTERFACES


TABLE = [
    Row("replay job", lambda f: (f.failed,), "job_replay", lambda f: f.failed, statuses=(("failed", "queued"),)),
    Row("cancel job", lambda f: (f.queued,), "job_cancel", lambda f: f.queued, statuses=(("queued", "cancelled"),)),
    Row(
        "replay jobs",
        lambda f: ("failed",),
        "jobs_replay",
        lambda f: None,
        lambda f: {"filter": {"status": "failed"}, "replayed": 1},
        lambda f: {"filter": {"status": "failed"}, "handled": 1},
        statuses=(("failed", "queued"), ("cancelled", "cancelled")),
    ),
    Row(
        "recollect job",
        lambda f: (f.succeeded,),
        "job_recollect",
        lambda f: f.succeeded,
        statuses=(("succeeded", "queued"),),
    ),
    Row(
        "recollect jobs",
        lambda f: ("succeeded",),
        "jobs_recollect",
        lambda f: None,
        lambda f: {"filter": {"status": "succeeded"}, "recollected": 1},
        lambda f: {"filter": {"status": "succeeded"}, "handled": 1},
        statuses=(("succeeded", "queued"), ("failed", "failed")),
    ),
    Row(
        "replay delivery",
        lambda f: (f.delivery,),
        "delivery_replay",
        lambda f: f.delivery,
        lambda f: {"jobs": [f.failed]},
        statuses=(("failed", "queued"),),
    ),
    Row("pause", lambda f: ("main",), "target_pause", lambda f: "main"),
    Row("resume", lambda f: ("main",), "target_resume", lambda f: "main"),
    Row("check", lambda f: ("main",), "target_check", lambda f: "main", lambda f: {"usable": False, "wrote": False}),
    Row(
        "compare",
        lambda f: ("acme/shop",),
        "repository_compare",
        lambda f: "github:acme/shop",
        lambda f: {"tags": RECENT_TAGS},
        interfaces=("dashboard", "cli"),
    ),
    Row(
        "reconcile",
        lambda f: ("acme/shop",),
        "repository_create",
        lambda f: "github:acme/shop",
        lambda f: {"tags": RECENT_TAGS},
        interfaces=("dashboard", "cli"),
    ),
    Row(
        "backfill",
        lambda f: ("acme/shop",),
        "repository_create",
        lambda f: "github:acme/shop",
        lambda f: {"tags": "all"},
        interfaces=("dashboard", "cli"),
    ),
    Row(
        "backfill with deploys",
        lambda f: ("acme/shop",),
        "repository_create",
        lambda f: "github:acme/shop",
        lambda f: {"tags": "all", "deploys": True},
        interfaces=("dashboard", "cli"),
    ),
]


@pytest.mark.parametrize(
    ("database_url", "row", "interface"),
    [
        pytest.param(database, row, each, id=f"{database}-{row.act}-{each}")
        for row in TABLE
        for each in row.interfaces
        for database in ("sqlite", "postgresql")
        if database == "sqlite" or each == row.interfaces[0]  # all three run the same statements
    ],
    indirect=["database_url", "interface"],
)
def test_an_act_is_the_same_through_every_interface(
    row: Row, interface: Interface, filled: Filled, engine: Engine, request: pytest.FixtureRequest
) -> None:
    events = interface(row.act, *row.words(filled))
    entry, door = last_entry(engine), request.node.callspec.params["interface"]
    expected = (door, "operator", row.action, row.subject(filled), row.detail(filled))
    assert (entry.door, entry.role, entry.action, entry.subject, entry.detail) == expected
    logged = [event for event in events if event["event"].startswith("ops.")]
    fields = (row.logged or row.detail)(filled) or {}
    ours = [{name: event[name] for name in ("event", "door", "subject", *fields)} for event in logged]
    assert ours == [{"event": f"ops.{row.action}", "door": door, "subject": row.subject(filled), **fields}]
    for name, status in row.statuses:
        assert job(engine, getattr(filled, name)).status == status


def test_every_act_of_the_operations_layer_has_a_row_in_the_table() -> None:
    acts = {
        name
        for name, value in vars(operations).items()
        if callable(value)
        and getattr(value, "__module__", "").endswith("operations")
        and not name.startswith("_")
        and name[0].islower()
    }
    assert acts == {
        *("replay_job", "cancel_job", "replay_delivery", "set_target", "reconcile", "replay_jobs", "cancel_replay"),
        *("check_target", "note", "note_comparison", "recollect_job", "recollect_jobs", "show_secret"),
    }


@pytest.mark.parametrize("interface", INTERFACES, indirect=True)
@pytest.mark.parametrize("begun_by", INTERFACES)
@ON_SQLITE
def test_a_bulk_replay_can_be_watched_and_cancelled_by_whoever_did_not_begin_it(
    interface: Interface,
    begun_by: str,
    app: Flask,
    engine: Engine,
    tmp_path: Path,
    filled: Filled,
    request: pytest.FixtureRequest,
) -> None:
    begin = {"dashboard": of_dashboard, "api": of_api}.get(begun_by, lambda _: of_cli(engine, tmp_path))
    begin(app)("replay jobs", "failed")
    seq = last_entry(engine).seq
    assert job(engine, filled.failed).replay_seq == seq
    page, shown = pages(app)
    assert "1 queued" in page(f"/replays/{seq}").text
    assert shown(f"replays/{seq}")["jobs"] == {"queued": 1}
    interface("cancel replay", str(seq))
    assert job(engine, filled.failed).status == "cancelled"
    entry = last_entry(engine)
    assert (entry.action, entry.subject, entry.detail) == ("jobs_cancel", str(seq), {"cancelled": 1})
    assert shown(f"replays/{seq}")["jobs"] == {"cancelled": 1}
    assert shown(f"replays/{entry.seq}")["replay"] == seq, "the number of the cancel leads to the replay as well"


def pages(app: Flask) -> tuple[Callable[[str], Any], Callable[[str], Any]]:
    client = app.test_client()
    ledger.sign_in(client)

    def page(address: str) -> Any:
        answer = client.get(address)
        assert answer.status_code == 200, answer.text
        return answer

    bearer = {"Authorization": f"Bearer {ledger.VIEWER}"}
    return page, lambda path: app.test_client().get(f"/api/v1/{path}", headers=bearer).get_json()


def test_a_replay_from_before_bulk_acts_is_shown_whoever_began_it(app: Flask, engine: Engine) -> None:
    with engine.begin() as connection:
        seq = audit.record(connection, door="api", role="operator", action="jobs_replay", detail={"replayed": 7})
    page, shown = pages(app)
    assert "7 queued" in page(f"/replays/{seq}").text
    assert (shown(f"replays/{seq}")["state"], shown(f"replays/{seq}")["replayed"]) == ("done", 7)
    for wrong in (seq + 1, 2**63, 99999999999999999999):
        assert (
            app.test_client().get(f"/api/v1/replays/{wrong}", headers={"Authorization": f"Bearer {ledger.VIEWER}"}).status_code
            == 404
        )


@pytest.mark.parametrize("interface", ["api", "cli", "dashboard"], indirect=True)
def test_targets_that_only_a_state_or_a_waiting_job_knows_can_be_resumed(
    interface: Interface, app: Flask, engine: Engine, filled: Filled
) -> None:
    with engine.begin() as connection:
        target_states.pause(connection, "gone", now=datetime.now(UTC))
        connection.execute(jobs.update().where(jobs.c.id == filled.queued).values(target="waited-for"))
    page, shown = pages(app)
    assert [item["name"] for item in shown("targets")["items"]] == ["main", "gone", "waited-for"]
    assert "waited-for" in page("/targets").text
    interface("resume", "gone")
    interface("pause", "waited-for")
    states = {item["name"]: item["state"] for item in shown("targets")["items"]}
    assert states == {"main": "ok", "gone": "ok", "waited-for": "paused"}


def services(engine: Engine) -> Services:
    class Notified:
        def notify(self, job_ids: Any) -> None:
            """Nobody: these tests look at the ledger."""

    return Services(settings=ledger.made_settings(engine), rules=ledger.rules(), engine=engine, notifier=Notified())


def fail_many(engine: Engine, number: int) -> list[str]:
    """This many failed jobs, copied from one that the product's own verbs made."""
    found = ledger.fill(engine, ledger.rules())
    with engine.begin() as connection:
        one = dict(connection.execute(sa.select(jobs).where(jobs.c.id == found.failed)).one()._mapping)
        rows = [{**one, "id": f"{int(one['id'], 16) + n:032x}", "key": f"{n:064x}"} for n in range(1, number)]
        connection.execute(jobs.insert(), rows)
    return [found.failed, *(row["id"] for row in rows)]


def test_no_transaction_of_a_bulk_act_holds_more_than_five_hundred_rows(engine: Engine) -> None:
    ids, sizes = fail_many(engine, 1_201), []
    answer = operations.replay_jobs(services(engine), ACTOR, {"status": "failed"}, lambda act: sizes.append(act.handled))
    assert answer == {"replay": answer["replay"], "matched": 1_201, "replayed": 1_201}
    assert sizes == [500, 1_000, 1_201]
    assert {job(engine, one).status for one in (ids[0], ids[600], ids[-1])} == {"queued"}
    answer = operations.cancel_replay(services(engine), ACTOR, answer["replay"], lambda act: sizes.append(act.handled))
    assert (answer["cancelled"], sizes[3:]) == (1_201, [500, 1_000, 1_201])


class Died(BaseException):
    """The process is gone."""


def die_after(steps: int) -> Callable[[object], None]:
    left = [steps]

    def on_step(_: object) -> None:
        left[0] -= 1
        if left[0] == 0:
            raise Died

    return on_step


@pytest.mark.parametrize("verb", ["replay", "cancel"])
def test_the_sweeper_finishes_what_a_dead_process_began(engine: Engine, verb: str) -> None:
    fail_many(engine, 1_201)
    if verb == "replay":
        with pytest.raises(Died):
            operations.replay_jobs(services(engine), ACTOR, {"status": "failed"}, die_after(1))
        before, after, replayed = {"failed": 701, "queued": 500}, {"queued": 1_201}, {"replayed": 1_201}
    else:
        seq = operations.replay_jobs(services(engine), ACTOR, {"status": "failed"})["replay"]
        with pytest.raises(Died):
            operations.cancel_replay(services(engine), ACTOR, seq, die_after(1))
        before, after, replayed = {"queued": 701, "cancelled": 500}, {"cancelled": 1_201}, {"cancelled": 1_201}
    assert counted(engine) == before
    finisher, now = BulkFinisher(engine), datetime.now(UTC)
    finisher.step(now)
    assert counted(engine) == before, "its lease still runs: it may be slow, not dead"
    later = now + bulk_acts.LEASE + timedelta(seconds=1)
    finisher.step(later)
    finisher.step(later)
    assert counted(engine) == after
    assert {**(last_entry(engine).detail or {}), **replayed} == last_entry(engine).detail, "the audit line says the outcome"


def test_a_repeated_key_continues_the_same_act(app: Flask, engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    fail_many(engine, 1_201)
    headers = {"Authorization": f"Bearer {ledger.OPERATOR}", "Idempotency-Key": "k"}
    real, calls = bulk_acts.step, []

    def dying(*arguments: Any, **named: Any) -> Any:
        calls.append(1)
        if len(calls) == 2:
            raise sa.exc.OperationalError("", {}, Exception("the database is away"))
        return real(*arguments, **named)

    monkeypatch.setattr(bulk_acts, "step", dying)
    body = {"filter": {"status": "failed"}}
    assert app.test_client().post("/api/v1/jobs/replay", json=body, headers=headers).status_code == 503
    assert counted(engine) == {"failed": 701, "queued": 500}
    again = app.test_client().post("/api/v1/jobs/replay", json=body, headers=headers)
    assert (again.status_code, again.get_json()["matched"], again.get_json()["replayed"]) == (202, 1_201, 1_201)
    third = app.test_client().post("/api/v1/jobs/replay", json=body, headers=headers)
    assert third.get_json() == again.get_json()
    with engine.begin() as connection:
        rows = [row for row in audit.list_entries(connection, before=None, limit=50) if row.action == "jobs_replay"]
    assert len(rows) == 1, "one act, one line"
    other = app.test_client().post("/api/v1/jobs/replay", json={"filter": {"status": "cancelled"}}, headers=headers)
    assert other.status_code == 409


def test_a_job_that_fails_again_is_not_replayed_twice_by_one_act(engine: Engine) -> None:
    ids = fail_many(engine, 501)

    def fail_again(_: object) -> None:
        with engine.begin() as connection:
            connection.execute(jobs.update().where(jobs.c.id == ids[0]).values(status="failed"))

    assert operations.replay_jobs(services(engine), ACTOR, {"status": "failed"}, fail_again)["replayed"] == 501
    assert job(engine, ids[0]).status == "failed"


def test_cancelling_a_replay_stops_one_that_still_runs_and_spares_releases_that_are_there(engine: Engine) -> None:
    ids = fail_many(engine, 1_201)
    with pytest.raises(Died):
        operations.replay_jobs(services(engine), ACTOR, {"status": "failed"}, die_after(1))
    seq = last_entry(engine).seq
    with engine.begin() as connection:
        is_there = {"status": "retrying", "release_url": "http://x/", "reason": "commits_partial"}
        connection.execute(jobs.update().where(jobs.c.id == ids[0]).values(is_there))
    assert operations.cancel_replay(services(engine), ACTOR, seq)["cancelled"] == 500
    assert job(engine, ids[0]).status == "succeeded"
    BulkFinisher(engine).step(datetime.now(UTC) + timedelta(hours=1))
    assert counted(engine) == {"succeeded": 1, "cancelled": 499, "failed": 701}
    with engine.begin() as connection:
        found = bulk_acts.find(connection, seq)
    assert found is not None
    assert found.state == "cancelled"
    with pytest.raises(NotFound):
        operations.cancel_replay(services(engine), ACTOR, seq + 1_000)


def test_cancelling_a_replay_spares_a_job_that_somebody_replayed_alone_since(engine: Engine) -> None:
    ids = fail_many(engine, 3)
    seq = operations.replay_jobs(services(engine), ACTOR, {"status": "failed"})["replay"]
    with engine.begin() as connection:
        connection.execute(jobs.update().where(jobs.c.id == ids[0]).values(status="failed"))
    operations.replay_job(services(engine), ACTOR, ids[0])
    assert operations.cancel_replay(services(engine), ACTOR, seq)["cancelled"] == 2
    assert job(engine, ids[0]).status == "queued"


def test_cancelling_by_the_number_of_a_cancel_goes_on_with_the_replay_it_cancels(engine: Engine) -> None:
    fail_many(engine, 1_201)
    replay = operations.replay_jobs(services(engine), ACTOR, {"status": "failed"})["replay"]
    with pytest.raises(Died):
        operations.cancel_replay(services(engine), ACTOR, replay, die_after(1))
    own = last_entry(engine).seq
    assert operations.cancel_replay(services(engine), ACTOR, own) == {"replay": replay, "cancelled": 701}
    BulkFinisher(engine).step(datetime.now(UTC) + timedelta(hours=1))
    assert counted(engine) == {"cancelled": 1_201}
    assert last_entry(engine).subject == str(replay)


def test_a_replay_that_was_stopped_says_in_the_audit_log_how_far_it_came(engine: Engine) -> None:
    fail_many(engine, 1_201)
    with pytest.raises(Died):
        operations.replay_jobs(services(engine), ACTOR, {"status": "failed"}, die_after(1))
    seq = last_entry(engine).seq
    operations.cancel_replay(services(engine), ACTOR, seq)
    with engine.begin() as connection:
        entry = audit.find(connection, seq)
    assert entry is not None
    assert entry.detail == {"filter": {"status": "failed"}, "replayed": 500}


def test_an_act_that_cannot_go_on_holds_up_no_other(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    fail_many(engine, 1_201)
    with pytest.raises(Died):
        operations.replay_jobs(services(engine), ACTOR, {"status": "failed"}, die_after(1))
    begin_only(engine, {"status": "cancelled"})
    broken, real = last_entry(engine).seq - 1, bulk_acts.step

    def step(connection: Any, seq: int, **named: Any) -> Any:
        if seq == broken:
            raise ValueError("a filter that this version refuses")
        return real(connection, seq, **named)

    monkeypatch.setattr(bulk_acts, "step", step)
    finisher, later = BulkFinisher(engine), datetime.now(UTC) + timedelta(minutes=1)
    with pytest.raises(ValueError, match="refuses"):
        finisher.step(later)
    finisher.step(later)
    with engine.begin() as connection:
        other = bulk_acts.find(connection, broken + 1)
    assert other is not None
    assert other.state == "done"


def begin_only(engine: Engine, wanted: dict[str, str]) -> None:
    """An act that is written down, and whose process dies then."""
    with engine.begin() as connection:
        seq = audit.record(connection, door="cli", role="operator", action="jobs_replay", detail={"filter": wanted})
        bulk_acts.begin(connection, seq, "replay", wanted, 0, now=datetime.now(UTC))


@pytest.mark.parametrize("words", [{}, {"repository": ""}, {"status": "", "since": ""}])
@ON_SQLITE
def test_an_empty_filter_replays_nothing(engine: Engine, words: dict[str, str]) -> None:
    with pytest.raises(BadParameter, match="at least one word"):
        operations.replay_jobs(services(engine), ACTOR, words)


def test_a_time_before_the_first_id_matches_everything(engine: Engine) -> None:
    fail_many(engine, 3)
    assert operations.replay_jobs(services(engine), ACTOR, {"status": "failed", "since": "1960-01-01"})["replayed"] == 3


def test_a_comparison_replaces_no_waiting_one_that_creates_more(engine: Engine) -> None:
    known, shop = services(engine), Repository("github", "acme/shop")
    operations.reconcile(known, ACTOR, shop, most_tags=None, creates=True)
    for most_tags, creates in ((50, False), (None, False), (50, True)):
        with pytest.raises(Conflict):
            operations.reconcile(known, ACTOR, shop, most_tags=most_tags, creates=creates)
    operations.note_comparison(known, ACTOR, shop, most_tags=50)
    with engine.begin() as connection:
        found = reconcile_runs.find(connection, shop)
    assert found is not None
    assert (found.state, found.creates, found.most_tags) == ("wanted", True, None)
    assert operations.reconcile(known, ACTOR, shop, most_tags=None, creates=True) is None, "the same again does as much"


def test_comparisons_that_people_look_at_do_not_put_off_the_timer(engine: Engine) -> None:
    shop, now = Repository("github", "acme/shop"), datetime.now(UTC)
    for creates, error, is_due in ((False, None, True), (True, "the forge is away", True), (True, None, False)):
        mine = operations.reconcile(services(engine), ACTOR, shop, most_tags=50, creates=creates, claims=True)
        assert mine is not None
        with engine.begin() as connection:
            reconcile_runs.end(connection, mine, error=error, now=now)
            wanted = reconcile_runs.want(
                connection, shop, most_tags=50, creates=True, now=now, is_by_timer=True, not_since=now - timedelta(hours=6)
            )
            assert wanted == is_due
            connection.rollback()
        with engine.begin() as connection:
            reconcile_runs.end(connection, mine, error=error, now=now)


def test_interfaces_write_nothing_by_themselves() -> None:
    for file in (path for name in ("api", "cli", "dashboard") for path in (ROOT / "webhook" / name).glob("*.py")):
        for node in ast.walk(ast.parse(file.read_text())):
            if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
                continue
            is_reading = isinstance(node.func.value, ast.Call) and ast.unparse(node.func.value.func) == "reading"
            assert node.func.attr != "begin" or is_reading, f"{file.name}:{node.lineno} opens a transaction that may write"
            assert node.func.attr not in ("connect", "insert", "delete"), f"{file.name}:{node.lineno}"


def test_a_refused_act_leaves_no_line_and_no_event(engine: Engine, filled: Filled) -> None:
    known = services(engine)
    with capture_logs() as events:
        for act in (
            lambda: operations.replay_job(known, ACTOR, filled.succeeded),
            lambda: operations.cancel_job(known, ACTOR, filled.failed),
            *(lambda job=job: operations.recollect_job(known, ACTOR, job) for job in recollectable_never(filled)),
            lambda: operations.set_target(known, ACTOR, "nobody", "pause"),
            lambda: operations.replay_delivery(known, ACTOR, "no-such"),
        ):
            with pytest.raises(Exception, match=r"cannot be|^no "):
                act()
    assert events == []
    with engine.begin() as connection:
        assert audit.list_entries(connection, before=None, limit=1) == []


def recollectable_never(filled: Filled) -> tuple[str, ...]:
    """Jobs without a release, also one that retries after a failure."""
    return filled.failed, filled.retrying, filled.queued, filled.cancelled


def test_a_bulk_recollect_can_be_cancelled_and_gives_the_states_back(engine: Engine, filled: Filled, app: Flask) -> None:
    with engine.begin() as connection:
        is_completing = {"release_url": "http://x/", "reason": "commits_partial", "error": None}
        connection.execute(jobs.update().where(jobs.c.id == filled.retrying).values(is_completing))
    before = {name: job(engine, getattr(filled, name)) for name in ("succeeded", "retrying")}
    answer = operations.recollect_jobs(services(engine), ACTOR, {"repository": "acme/shop"})
    assert answer == {"replay": answer["replay"], "matched": 2, "recollected": 2}
    page, shown = pages(app)
    assert (shown(f"replays/{answer['replay']}")["verb"], shown(f"replays/{answer['replay']}")["jobs"]) == (
        "recollect",
        {"queued": 2},
    )
    assert f"Recollect {answer['replay']}: 0 of 2 done" in page(f"/replays/{answer['replay']}").text
    with pytest.raises(Conflict):
        operations.recollect_job(services(engine), ACTOR, filled.succeeded)
    assert operations.cancel_replay(services(engine), ACTOR, answer["replay"])["cancelled"] == 2
    for name, was in before.items():
        now = job(engine, getattr(filled, name))
        kept = ("status", "reason", "error", "waiting", "range", "release_url", "updated_at", "outcome", "before_status")
        assert [getattr(now, one) for one in kept] == [getattr(was, one) for one in kept]
    assert operations.cancel_replay(services(engine), ACTOR, answer["replay"])["cancelled"] == 0
    assert job(engine, filled.retrying).status == "retrying", "it waits to complete its list, as before"


def test_only_one_comparison_of_a_repository_runs_at_a_time(engine: Engine) -> None:
    known, shop = services(engine), Repository("github", "acme/shop")
    mine = operations.reconcile(known, ACTOR, shop, most_tags=5, creates=True, claims=True)
    assert mine is not None
    with pytest.raises(Exception, match="being compared already"):
        operations.reconcile(known, ACTOR, shop, most_tags=5, creates=True)
    with engine.begin() as connection:
        assert reconcile_runs.end(connection, mine, error=None, now=datetime.now(UTC))
    assert operations.reconcile(known, ACTOR, shop, most_tags=5, creates=False) is None


def counted(engine: Engine) -> dict[str, int]:
    """{status: copies}: without the jobs in other states that `fill` made."""
    with engine.begin() as connection:
        statement = sa.select(jobs.c.status, sa.func.count().label("n")).where(jobs.c.ref == FAILED_REF).group_by(jobs.c.status)
        return {row.status: row.n for row in connection.execute(statement)}


FAILED_REF = "refs/tags/v1.1.0"  # of the failed job that `fill` makes


def job(engine: Engine, job_id: str) -> Any:
    with engine.begin() as connection:
        return connection.execute(sa.select(jobs).where(jobs.c.id == job_id)).one()


def last_entry(engine: Engine) -> Any:
    with engine.begin() as connection:
        return audit.list_entries(connection, before=None, limit=1)[0]

"""One look at a time, however many ask: a broker that hangs must not take every thread."""

from __future__ import annotations

import sqlite3
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from shared.broker import Notifier, make_celery
from shared.infra.database import make_engine
from shared.infra.fault_words import plain_words
from shared.ledger.tables import SCHEMA
from tests.migrated import migrate
from webhook.intake.store_health import LOOK_AGAIN_SECONDS, StoreHealth
from webhook.monitoring.health import Readiness


@pytest.fixture
def readiness(tmp_path: Path) -> Readiness:
    engine = make_engine(f"sqlite:///{tmp_path / 'ledger.sqlite3'}")
    migrate(engine, SCHEMA)
    url = "redis://127.0.0.1:1/0"
    return Readiness(engine, Notifier(make_celery(url)), url)


def test_while_one_looks_the_others_are_told_what_was_found_before(
    readiness: Readiness, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("webhook.monitoring.health.check_broker", lambda _: None)
    assert readiness.look()["status"] == "ok"
    looking, go_on = threading.Event(), threading.Event()

    def hang(_: object) -> int:
        looking.set()
        assert go_on.wait(20)
        raise TimeoutError

    monkeypatch.setattr("webhook.monitoring.health.check_broker", hang)
    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(readiness.look)
        assert looking.wait(20)
        assert [readiness.look()["status"] for _ in range(50)] == ["ok"] * 50
        go_on.set()
        assert first.result(20)["broker"] == "down (TimeoutError)"
    monkeypatch.setattr("webhook.monitoring.health.check_broker", lambda _: None)
    assert readiness.look()["broker"] == "ok", "each look is a fresh one"


def test_a_database_without_schema_is_told(tmp_path: Path) -> None:
    engine = make_engine(f"sqlite:///{tmp_path / 'empty.sqlite3'}")
    told = Readiness(engine, Notifier(make_celery(None)), None).look()
    assert (told["status"], told["database"], told["broker"]) == ("unavailable", "ok", "not configured")
    assert "db upgrade" in told["schema"]
    assert str(tmp_path) not in str(told)


def test_a_file_that_another_program_keeps_locked_cannot_store(
    readiness: Readiness, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("webhook.monitoring.health.check_broker", lambda _: None)
    monkeypatch.setattr("webhook.monitoring.health.PROBE_SECONDS", 0.2)
    other = sqlite3.connect(tmp_path / "ledger.sqlite3", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    assert readiness.look() == {
        "status": "unavailable",
        "database": "database is locked",
        "schema": "unknown",
        "broker": "ok",
    }
    other.execute("COMMIT")
    other.close()
    assert readiness.look()["status"] == "ok", "seen without any traffic"


def test_two_deliveries_in_a_row_that_could_not_be_stored_count_and_one_does_not(tmp_path: Path) -> None:
    now = 100.0
    engine = make_engine(f"sqlite:///{tmp_path / 'ledger.sqlite3'}")
    migrate(engine, SCHEMA)
    health = StoreHealth(lambda: now)
    readiness = Readiness(engine, Notifier(make_celery(None)), None, health)
    told = []
    for is_stored in (False, True, False, False):
        health.note(is_stored=is_stored)
        told.append(readiness.look()["status"])
    assert told == ["degraded", "degraded", "degraded", "unavailable"]
    now += LOOK_AGAIN_SECONDS
    assert readiness.look()["status"] == "degraded", "the probe alone says so, since nobody may send meanwhile"


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        (
            'connection failed: connection to server at "10.1.2.3", port 5432 failed: FATAL:  no password for user "bob"',
            "FATAL: no password for user",
        ),
        ('connection to server on socket "/tmp/.s.PGSQL.1" failed: No such file\n\tUp?', "No such file"),
        ('could not extend file "base/1/2": No space left on device', "could not extend file: No space left on device"),
        ("Error 111 connecting to redis.internal:6379. Connection refused.", "Error 111 Connection refused"),
        ("READONLY You can't write against a read only replica.", "READONLY You can't write against a read only replica"),
        ("NOT_ALLOWED - vhost /acme not found", "NOT_ALLOWED - vhost not found"),
        ("redis://user:secret@10.0.0.1:6379/0", "Exception"),
        ("[::1]:6379", "Exception"),
        ("", "Exception"),
    ],
)
def test_a_fault_is_told_in_its_own_words_without_address_user_or_path(said: str, shown: str) -> None:
    assert plain_words(Exception(said)) == shown

"""One look at a time, however many ask: a broker that hangs must not take every thread."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from shared.broker import Notifier, make_celery
from shared.infra.database import make_engine
from shared.ledger.tables import SCHEMA
from tests.migrated import migrate
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
    monkeypatch.setattr("webhook.monitoring.health.queue_length", lambda _: 0)
    assert readiness.look()["status"] == "ok"
    looking, go_on = threading.Event(), threading.Event()

    def hang(_: object) -> int:
        looking.set()
        assert go_on.wait(20)
        raise TimeoutError

    monkeypatch.setattr("webhook.monitoring.health.queue_length", hang)
    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(readiness.look)
        assert looking.wait(20)
        assert [readiness.look()["status"] for _ in range(50)] == ["ok"] * 50
        go_on.set()
        assert first.result(20)["broker"] == "down (TimeoutError)"
    monkeypatch.setattr("webhook.monitoring.health.queue_length", lambda _: 0)
    assert readiness.look()["broker"] == "ok", "each look is a fresh one"


def test_a_database_without_schema_is_told(tmp_path: Path) -> None:
    engine = make_engine(f"sqlite:///{tmp_path / 'empty.sqlite3'}")
    told = Readiness(engine, Notifier(make_celery(None)), None).look()
    assert (told["status"], told["database"], told["broker"]) == ("unavailable", "ok", "not configured")
    assert "db upgrade" in told["schema"]

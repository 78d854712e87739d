"""What /readyz says of real servers that answer and take nothing."""

from __future__ import annotations

import pytest
import redis
import sqlalchemy as sa
from sqlalchemy.engine import Engine

from shared.broker import Notifier, check_broker, make_celery
from shared.infra.database import make_engine
from shared.ledger.tables import SCHEMA
from tests.conftest import Broker
from tests.migrated import migrate
from webhook.monitoring.health import Readiness


def test_a_database_that_only_reads_cannot_store(postgres_url: str) -> None:
    owner = make_engine(postgres_url)
    migrate(owner, SCHEMA)
    engine = make_engine(postgres_url)
    readiness = Readiness(engine, Notifier(make_celery(None)), None)
    assert readiness.look()["database"] == "ok"
    database = owner.dialect.identifier_preparer.quote(str(engine.url.database))
    with owner.begin() as connection:
        connection.execute(sa.text(f"ALTER DATABASE {database} SET default_transaction_read_only = on"))
    engine.dispose()
    try:
        told = readiness.look()
        assert (told["status"], told["schema"]) == ("unavailable", "unknown")
        assert told["database"] == "cannot execute INSERT in a read-only transaction"
    finally:
        with owner.begin() as connection:
            connection.execute(sa.text(f"ALTER DATABASE {database} RESET default_transaction_read_only"))
    assert readiness.look()["database"] == "ok", "the connections that only read were given up"
    owner.dispose()
    engine.dispose()


def test_a_pool_that_others_use_up_cannot_store(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shared.infra.database._POOL_SECONDS", 0.1)
    small = make_engine(engine.url.render_as_string(hide_password=False), connections=1)
    readiness = Readiness(small, Notifier(make_celery(None)), None)
    with small.connect():
        told = readiness.look()
    assert told["status"] == "unavailable"
    assert told["database"].startswith("QueuePool limit")
    assert readiness.look()["database"] == "ok"
    small.dispose()


def test_a_broker_that_only_reads_or_is_full_is_told_in_its_own_words(ledger: Engine, broker: Broker) -> None:
    app = make_celery(broker.url)
    readiness = Readiness(ledger, Notifier(app), broker.url)
    assert readiness.look()["broker"] == "ok"
    with redis.Redis(port=broker.port) as client:
        client.execute_command("REPLICAOF", "127.0.0.1", "1")
        told = readiness.look()
        assert (told["status"], told["broker"]) == ("degraded", "down (You can't write against a read only replica)")
        client.execute_command("REPLICAOF", "NO", "ONE")
        client.config_set("maxmemory", 1)
        assert readiness.look()["broker"].startswith("down (command not allowed when used memory")
        client.config_set("maxmemory", 0)
    check_broker(app)
    broker.kill()
    assert "Connection refused" in readiness.look()["broker"]
    app.close()

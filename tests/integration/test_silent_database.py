"""A PostgreSQL that stops answering without a word: no wait is without an end, and the next connection is a fresh one."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
import sqlalchemy as sa
from sqlalchemy.engine import Engine

from shared.broker import Notifier, make_celery
from shared.infra.database import make_engine
from shared.infra.patience import waiting_at_most
from shared.infra.schema import Schema
from shared.ledger.deliveries import Arrival, Receipt
from shared.ledger.tables import SCHEMA, deliveries
from tests.arrivals import arrival
from tests.migrated import migrate
from tests.silent_proxy import SilentProxy, before
from webhook.intake.group_commit import GroupCommit, Outcome, accept_patiently
from webhook.intake.group_writers import open_store


@pytest.fixture
def through(postgres_url: str) -> Iterator[tuple[SilentProxy, Engine]]:
    with before(postgres_url) as (proxy, url):
        engine = make_engine(url, reply_seconds=0.5)
        migrate(engine, SCHEMA)
        with engine.begin() as connection:
            connection.execute(sa.delete(deliveries))
        yield proxy, engine
        engine.dispose()


def test_a_statement_whose_answer_never_comes_is_given_up_and_its_connection_with_it(
    through: tuple[SilentProxy, Engine],
) -> None:
    proxy, engine = through
    with engine.connect() as connection:
        connection.execute(sa.text("SELECT 1"))
        proxy.vanish()
        with pytest.raises(sa.exc.OperationalError, match="did not answer within"):
            connection.execute(sa.text("SELECT 1"))
    proxy.come_back()
    with engine.begin() as connection:
        assert connection.execute(sa.text("SELECT 2")).scalar_one() == 2


def test_a_commit_and_the_question_whether_it_still_lives_are_bounded_too(through: tuple[SilentProxy, Engine]) -> None:
    proxy, engine = through
    with engine.connect() as connection:
        connection.execute(sa.text("SELECT 1"))
        proxy.vanish()
        with pytest.raises(sa.exc.OperationalError, match="did not answer"):
            connection.commit()
    proxy.come_back()
    with engine.begin() as connection:
        connection.execute(sa.text("SELECT 1"))
    time.sleep(0.25)  # so that the connection counts as one that rested
    proxy.vanish()
    proxy.come_back()
    with engine.begin() as connection:
        assert connection.execute(sa.text("SELECT 2")).scalar_one() == 2


def test_a_limit_of_the_caller_goes_before_and_ends_with_its_block(through: tuple[SilentProxy, Engine]) -> None:
    _, engine = through
    with engine.connect() as connection, waiting_at_most(None):
        assert connection.execute(sa.text("SELECT pg_sleep(0.7)")).all()
    with pytest.raises(sa.exc.OperationalError), engine.connect() as connection, waiting_at_most(0.1):
        connection.execute(sa.text("SELECT pg_sleep(0.3)"))
    with pytest.raises(sa.exc.OperationalError), engine.connect() as connection:
        connection.execute(sa.text("SELECT pg_sleep(0.7)"))


def now_arrival() -> Arrival:
    return arrival(now=datetime.now(UTC))


def test_a_delivery_that_meets_a_dead_idle_connection_is_stored_by_a_fresh_one(
    through: tuple[SilentProxy, Engine], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("webhook.intake.group_commit.STORE_SECONDS", 4.0)
    proxy, engine = through

    async def run() -> list[Outcome]:
        group = GroupCommit(open_store(engine), engine, Notifier(make_celery(None)))
        outcomes = [await group.submit(now_arrival())]
        proxy.vanish()
        proxy.come_back()
        outcomes.append(await group.submit(now_arrival()))
        await group.close()
        return outcomes

    assert [outcome.status for outcome in asyncio.run(run()) if isinstance(outcome, Receipt)] == ["accepted"] * 2
    proxy.vanish()
    proxy.come_back()
    assert accept_patiently(engine, now_arrival(), 6.0).status == "accepted"
    with engine.begin() as connection:
        assert connection.execute(sa.select(sa.func.count()).select_from(deliveries)).scalar_one() == 3


def test_while_it_is_silent_every_sender_is_answered_before_github_gives_up(
    through: tuple[SilentProxy, Engine], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("webhook.intake.group_commit.STORE_SECONDS", 0.6)
    monkeypatch.setattr("webhook.intake.group_commit.LEAST_SECONDS", 0.1)
    proxy, engine = through

    async def run() -> list[float]:
        group = GroupCommit(open_store(engine), engine, Notifier(make_celery(None)))
        await group.submit(now_arrival())
        proxy.vanish()

        async def send() -> float:
            began = time.monotonic()
            assert not isinstance(await group.submit(now_arrival()), Receipt)
            return time.monotonic() - began

        first = asyncio.create_task(send())
        await asyncio.sleep(0.2)  # these wait behind the group that takes all of its time
        waited = [await first, *await asyncio.gather(send(), send())]
        await group.close()
        return waited

    assert max(asyncio.run(run())) < 5


def test_a_migration_may_take_as_long_as_it_likes(through: tuple[SilentProxy, Engine], monkeypatch: pytest.MonkeyPatch) -> None:
    _, engine = through
    waited: list[int] = []

    def slowly(schema: Schema, connection: sa.engine.Connection, *_: object, **__: object) -> None:
        waited.append(connection.execute(sa.text("SELECT 1 FROM pg_sleep(0.7)")).scalar_one())

    monkeypatch.setattr(Schema, "current", lambda *_: "0001")
    monkeypatch.setattr(Schema, "_run", slowly)
    assert SCHEMA.upgrade(engine) == SCHEMA.head()
    assert waited == [1]

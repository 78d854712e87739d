"""Deliveries stored together: each is told its own outcome, and nothing is lost or half done when one of them is odd."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.engine import Engine

from shared.broker import Notifier, make_celery
from shared.domain.push import Ignored, Push
from shared.domain.rules import Decision
from shared.domain.webhook import Hook
from shared.errors import CannotStore
from shared.ledger.deliveries import Arrival, Receipt, accept
from shared.ledger.tables import commits, deliveries, jobs, payloads, pushes
from tests.arrivals import arrival
from tests.builders import NOW
from webhook.intake import group_commit, group_writers
from webhook.intake.group_commit import GroupCommit, Outcome
from webhook.intake.group_writers import open_store


class Knocks(Notifier):
    """Keeps what it was handed."""

    def __init__(self) -> None:
        super().__init__(make_celery("redis://127.0.0.1:1/0"))
        self.heard: list[str] = []

    def notify(self, job_ids: Any) -> None:
        self.heard += job_ids


def submit(engine: Engine, arrivals: Sequence[Arrival], knocks: Knocks | None = None) -> list[Outcome]:
    """All at once, so that they come into one group."""

    async def run() -> list[Outcome]:
        group = GroupCommit(open_store(engine), engine, knocks or Knocks())
        outcomes = await asyncio.gather(*[group.submit(one) for one in arrivals])
        await group.close()
        return outcomes

    return asyncio.run(run())


def count(engine: Engine, table: sa.Table) -> int:
    with engine.begin() as connection:
        return int(connection.execute(sa.select(sa.func.count()).select_from(table)).scalar_one())


def receipts(outcomes: Sequence[Outcome]) -> list[Receipt]:
    assert all(isinstance(outcome, Receipt) for outcome in outcomes), outcomes
    return [outcome for outcome in outcomes if isinstance(outcome, Receipt)]


def test_a_group_is_stored_as_one_at_a_time_would_store_it(engine: Engine) -> None:
    knocks = Knocks()
    arrivals = [arrival() for _ in range(100)]
    told = receipts(submit(engine, arrivals, knocks))
    assert [receipt.delivery_id for receipt in told] == [one.hook.delivery_id for one in arrivals]
    assert {receipt.status for receipt in told} == {"accepted"}
    assert knocks.heard == [job for receipt in told for job in receipt.jobs]
    assert (count(engine, deliveries), count(engine, payloads), count(engine, jobs)) == (100, 100, 100)
    with engine.begin() as connection:
        rows = connection.execute(sa.select(deliveries, payloads).join(payloads).order_by(deliveries.c.seq)).all()
        made = {row.id: row for row in connection.execute(sa.select(jobs))}
    assert [row.delivery_id for row in rows] == [one.hook.delivery_id for one in arrivals]
    assert {row.created_at for row in rows} == {NOW}
    assert {row.body for row in rows} == {b"\x00\xff{}"}
    assert {row.headers["x-github-event"] for row in rows} == {"push"}
    assert [tuple(row.jobs) for row in rows] == [receipt.jobs for receipt in told]
    for row, one in zip(rows, arrivals, strict=True):
        job = made[row.jobs[0]]
        assert isinstance(one.hook.content, Push)
        assert (job.delivery_seq, job.sha, job.status, job.next_attempt_at) == (row.seq, one.hook.content.sha, "queued", NOW)
        assert job.spec == {
            "rule": "r",
            "projects": ["app"],
            "set_commits": "auto",
            "finalize": True,
            "environment": None,
        }


def test_a_group_leaves_the_same_in_every_column_as_one_at_a_time(engine: Engine) -> None:
    with engine.begin() as connection:
        accept(connection, arrival())
    store_as_group(engine, [arrival()])
    own = {"seq", "delivery_seq", "delivery_id", "dedupe_key", "jobs", "id", "key", "sha"}
    with engine.begin() as connection:
        for table in (deliveries, payloads, jobs):
            alone, grouped = connection.execute(sa.select(table)).mappings().all()
            assert {name: value for name, value in alone.items() if name not in own} == {
                name: value for name, value in grouped.items() if name not in own
            }
        pairs = connection.execute(sa.select(deliveries, jobs.c.delivery_seq).join(jobs)).all()
    assert [(row.seq, row.delivery_id) for row in pairs] == [(row.delivery_seq, row.dedupe_key) for row in pairs]


def test_a_group_without_any_job_is_stored(engine: Engine) -> None:
    nothing = Decision(reason="no_rule", detail="nobody wants it")
    store_as_group(engine, [arrival(decision=nothing), arrival(decision=nothing)])
    assert (count(engine, deliveries), count(engine, payloads), count(engine, jobs)) == (2, 2, 0)


def store_as_group(engine: Engine, arrivals: Sequence[Arrival]) -> None:
    """Raises what would otherwise be stored one at a time, without a word."""

    async def store() -> None:
        held = open_store(engine)
        await held(arrivals, 5.0)
        await held.close()

    asyncio.run(store())


def test_an_ignored_delivery_among_them_makes_no_job(engine: Engine) -> None:
    odd = arrival(
        hook=Hook(event="ping", delivery_id="p", content=Ignored(reason="ping", detail="hello")),
        decision=Decision(reason="ping", detail="hello"),
    )
    told = receipts(submit(engine, [arrival(), odd, arrival()]))
    assert [(one.status, one.reason, len(one.jobs)) for one in told] == [
        ("accepted", None, 1),
        ("ignored", "ping", 0),
        ("accepted", None, 1),
    ]


def test_the_same_delivery_twice_in_a_group_is_stored_once(engine: Engine) -> None:
    twice = arrival(delivery_id="same")
    told = receipts(submit(engine, [arrival(), twice, twice, arrival()]))
    assert [one.status for one in told] == ["accepted", "accepted", "duplicate", "accepted"]
    assert told[1].jobs == told[2].jobs
    assert (count(engine, deliveries), count(engine, jobs)) == (3, 3)


def test_one_commit_announced_under_two_ids_in_a_group_is_one_job(engine: Engine) -> None:
    knocks = Knocks()
    told = receipts(submit(engine, [arrival("a" * 40), arrival("a" * 40)], knocks))
    assert [one.status for one in told] == ["accepted", "accepted"]
    assert told[0].jobs == told[1].jobs
    assert knocks.heard == list(told[0].jobs)
    assert (count(engine, deliveries), count(engine, jobs)) == (2, 1)


def test_a_redelivery_among_new_ones_is_a_duplicate(engine: Engine) -> None:
    (first,) = receipts(submit(engine, [arrival(delivery_id="once")]))
    told = receipts(submit(engine, [arrival(), arrival(delivery_id="once"), arrival()]))
    assert [one.status for one in told] == ["accepted", "duplicate", "accepted"]
    assert told[1].jobs == first.jobs


def test_one_that_cannot_be_stored_keeps_no_other_from_it(engine: Engine) -> None:
    too_long = arrival(provider="x" * 100 if engine.dialect.name == "postgresql" else None)
    outcomes = submit(engine, [arrival(), too_long, arrival()])
    assert [isinstance(outcome, Receipt) for outcome in outcomes] == [True, False, True]
    assert count(engine, deliveries) == 2


def test_numbers_are_never_used_again_while_the_commit_log_holds_them(engine: Engine) -> None:
    with engine.begin() as connection:
        values = {"repository_key": "r", "ref": "refs/heads/main", "before": "0", "commit_ids": [], "at": NOW}
        last = 7 if engine.dialect.name == "sqlite" else 0  # a sequence remembers by itself
        if last:
            connection.execute(pushes.insert().values(seq=last, **values))
    submit(engine, [arrival()])
    with engine.begin() as connection:
        assert connection.execute(sa.select(deliveries.c.seq)).scalar_one() > last
        assert not connection.execute(sa.select(commits)).all()


# --- a database that cannot --------------------------------------------------------------------------------------------


def test_a_locked_file_is_waited_for_without_holding_up_the_loop(engine: Engine) -> None:
    if engine.dialect.name != "sqlite":
        pytest.skip("PostgreSQL has no such lock")
    other = sqlite3.connect(str(engine.url.database), isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    turns = 0

    async def run() -> Outcome:
        nonlocal turns
        group = GroupCommit(open_store(engine), engine, Knocks())
        stored = group.submit(arrival())
        for turns in range(1, 51):  # noqa: B007
            await asyncio.sleep(0.002)
            assert not stored.done()
        other.execute("COMMIT")
        return await stored

    assert isinstance(asyncio.run(run()), Receipt)
    assert turns == 50
    other.close()


def test_a_file_that_stays_locked_is_told_to_the_sender(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    if engine.dialect.name != "sqlite":
        pytest.skip("PostgreSQL has no such lock")
    monkeypatch.setattr(group_commit, "LEAST_SECONDS", 0.05)
    other = sqlite3.connect(str(engine.url.database), isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    (outcome,) = submit(engine, [arrival()])
    other.execute("ROLLBACK")
    other.close()
    assert isinstance(outcome, CannotStore)
    assert count(engine, deliveries) == 0


def test_whatever_fails_where_each_is_stored_alone_every_sender_is_told(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A disk that fails for a moment, as one of SQLite's own errors or as anything else."""
    submit(engine, [arrival(delivery_id="once")])

    def fail(fault: Exception) -> list[Outcome]:
        with monkeypatch.context() as broken:

            def refuse(*_: object) -> None:
                raise fault

            broken.setattr("webhook.intake.group_commit.deliveries.accept", refuse)
            return submit(engine, [arrival(delivery_id="once"), arrival()])

    for fault in (sqlite3.OperationalError("disk I/O error"), OSError("no more threads"), ValueError("a fault of ours")):
        told = fail(fault)
        assert [type(outcome) for outcome in told] == [CannotStore, CannotStore]
    assert [type(outcome) for outcome in submit(engine, [arrival(delivery_id="once"), arrival()])] == [Receipt, Receipt]


def test_a_file_that_cannot_even_be_locked_is_told_as_sqlalchemy_tells_it(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    if engine.dialect.name != "sqlite":
        pytest.skip("PostgreSQL has no such lock")

    def broken(_: sqlite3.Connection) -> bool:
        problem = sqlite3.OperationalError("disk I/O error")
        problem.sqlite_errorcode = sqlite3.SQLITE_IOERR
        raise problem

    with monkeypatch.context() as bad:
        bad.setattr("shared.infra.database.begin_at_once", broken)
        with pytest.raises(sa.exc.OperationalError, match="disk I/O error"), engine.begin():
            pass
    assert count(engine, deliveries) == 0


def test_a_connection_that_was_cut_is_opened_again(engine: Engine) -> None:
    if engine.dialect.name == "sqlite":
        pytest.skip("SQLite has no connection to cut")

    async def run() -> list[Outcome]:
        store = open_store(engine)
        group = GroupCommit(store, engine, Knocks())
        outcomes = [await group.submit(arrival())]
        assert isinstance(store, group_writers.PostgresStore)
        assert store.connection is not None
        with engine.begin() as connection:
            connection.execute(sa.text("SELECT pg_terminate_backend(:pid)"), {"pid": store.connection.info.backend_pid})
        outcomes += [await group.submit(arrival()), await group.submit(arrival())]
        await group.close()
        return outcomes

    assert [receipt.status for receipt in receipts(asyncio.run(run()))] == ["accepted"] * 3
    assert count(engine, deliveries) == 3


def test_a_database_that_is_away_is_told_to_all_at_once(tmp_path: Path) -> None:
    from shared.infra.database import make_engine

    engine = make_engine("postgresql://nobody@127.0.0.1:1/none")
    outcomes = submit(engine, [arrival() for _ in range(5)])
    assert all(isinstance(outcome, CannotStore) for outcome in outcomes)


def test_a_fault_of_ours_leaves_nobody_waiting(engine: Engine) -> None:
    class Broken:
        async def __call__(self, arrivals: Sequence[Arrival], seconds: float) -> list[Receipt]:
            raise KeyError("a bug")

        async def close(self) -> None: ...

    async def run(work: Callable[[GroupCommit], Awaitable[Outcome]]) -> Outcome:
        return await work(GroupCommit(Broken(), engine, Knocks()))

    assert isinstance(asyncio.run(run(lambda group: group.submit(arrival()))), CannotStore)


def test_a_group_is_bounded_in_bytes_and_one_alone_may_be_larger(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    """SQLite is written in the loop's own thread: a group must not hold it up for long."""
    sizes: list[list[int]] = []

    class Store:
        async def __call__(self, arrivals: Sequence[Arrival], seconds: float) -> list[Receipt]:
            sizes.append([len(one.body) for one in arrivals])
            return [Receipt("d", "accepted") for _ in arrivals]

        async def close(self) -> None: ...

    async def run() -> None:
        group = GroupCommit(Store(), engine, Knocks())
        await asyncio.gather(*[group.submit(arrival(body=bytes(size))) for size in (60, 40, 1, 200, 100, 1)])

    monkeypatch.setattr("webhook.intake.group_commit.LARGEST_GROUP_BYTES", 100)
    asyncio.run(run())
    assert sizes == [[60, 40], [1], [200], [100], [1]]

"""One row that cannot be read costs its own job, and nobody else anything."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.engine import Engine
from structlog.testing import capture_logs

from shared.broker import make_celery
from shared.infra.outages import Outage
from shared.ledger import claims, job_transitions
from shared.ledger.deliveries import accept
from shared.ledger.tables import attempts, jobs
from tests.arrivals import arrival
from worker.jobs.unreadable import end_if_unreadable
from worker.sweeper.loop import Sweeper


def test_a_job_that_cannot_be_read_or_recorded_is_failed_and_says_why(engine: Engine) -> None:
    now = datetime.now(UTC)
    with engine.begin() as connection:
        waits, runs = (accept(connection, arrival(now=now)).jobs[0] for _ in range(2))
        assert claims.claim(connection, runs, now=now) is not None
    for job_id, problem in ((waits, KeyError("set_commits")), (runs, ValueError("a NUL \0 in a text"))):
        end_if_unreadable(engine, job_id, problem, Outage("test"))
    with engine.begin() as connection:
        rows = connection.execute(sa.select(jobs.c.status, jobs.c.reason, jobs.c.error, jobs.c.lease_until)).all()
        assert {(row.status, row.reason, row.lease_until) for row in rows} == {("failed", "missed_webhook", None)}
        assert any("KeyError: 'set_commits'" in row.error for row in rows)
        assert connection.execute(sa.select(attempts.c.outcome)).scalars().all() == ["failed"]
        assert job_transitions.replay(connection, waits, now=now)


def test_a_fault_that_may_pass_leaves_the_job_as_it_is(engine: Engine) -> None:
    now = datetime.now(UTC)
    with engine.begin() as connection:
        job_id = accept(connection, arrival(now=now)).jobs[0]
    for problem in (OSError("too many open files"), sa.exc.OperationalError("SELECT", {}, Exception("gone"))):
        end_if_unreadable(engine, job_id, problem, Outage("test"))
    with engine.begin() as connection:
        assert connection.execute(sa.select(jobs.c.status)).scalar_one() == "queued"


def test_a_step_that_fails_keeps_no_other_from_its_turn_and_is_said_once(
    ledger: Engine,
) -> None:
    sweeper = Sweeper(ledger, make_celery(None))
    done: list[str] = []

    def fail(_: datetime) -> None:
        done.append("failed")
        raise KeyError("a row of another shape")

    def work(_: datetime) -> None:
        done.append("worked")
        if len(done) >= 6:
            sweeper.stopping.set()

    sweeper._steps = (("rollups", fail), ("retention", work))
    with capture_logs() as logged:
        sweeper.run(timedelta())
    assert done == ["failed", "worked"] * 3
    assert [line["event"] for line in logged].count("work.failed") == 1

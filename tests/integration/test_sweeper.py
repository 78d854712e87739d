"""The sweeper against a real broker: it knocks for what is due, waits out a dead broker, and never floods."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.engine import Engine

from shared.broker import make_celery, publish, queue_length
from shared.config import rules_file
from shared.config.settings import Settings
from shared.domain.push import Repository
from shared.ledger import due_jobs, job_transitions
from shared.ledger.job_transitions import KNOCK_AGAIN_AFTER
from tests.conftest import Broker
from tests.ledger_rows import NOW, accept, claim, history, make_push, make_work, row
from worker.sweeper.dispatcher import Feeder
from worker.sweeper.loop import INTERVAL, UNHEARD_AFTER, WINDOW, Sweeper

RULES = rules_file.default_rules(Settings(is_target_embedded=True))
LATER = KNOCK_AGAIN_AFTER + timedelta(seconds=1)


def test_it_knocks_for_a_job_whose_message_was_lost_and_not_again_at_once(engine: Engine, broker: Broker) -> None:
    now = datetime.now(UTC)
    job_id = accept(engine, now=now).jobs[0]
    sweeper = Sweeper(engine, make_celery(broker.url), RULES)
    assert sweeper.tick(now) == 0, "the receiver has only just knocked"
    assert sweeper.tick(now + LATER) == 1
    assert sweeper.tick(now + LATER + timedelta(seconds=1)) == 0
    assert queue_length(make_celery(broker.url)) == 1
    assert row(engine, job_id).knock_at == now + LATER + KNOCK_AGAIN_AFTER


def test_while_the_broker_is_away_rows_stay_due_and_are_knocked_for_on_its_return(engine: Engine, broker: Broker) -> None:
    now = datetime.now(UTC)
    accept(engine, now=now)
    broker.kill()
    sweeper = Sweeper(engine, make_celery(broker.url), RULES)
    assert sweeper.tick(now + LATER) == 0
    broker.start()
    assert sweeper.tick(now + LATER) == 1


def test_a_full_queue_gets_no_more_knocks(engine: Engine, broker: Broker) -> None:
    app = make_celery(broker.url)
    now = datetime.now(UTC)
    accept(engine, now=now)
    for _ in range(WINDOW):
        publish(app, ["x"], is_busy=False)
    assert queue_length(app) == WINDOW
    assert Sweeper(engine, app, RULES).tick(now + LATER) == 0


def test_a_lost_lease_is_rescued_and_knocked_for(engine: Engine, broker: Broker) -> None:
    now = datetime.now(UTC)
    job_id = accept(engine, now=now).jobs[0]
    assert claim(engine, job_id, now) is not None
    sweeper = Sweeper(engine, make_celery(broker.url), RULES)
    sweeper.rescue(now + job_transitions.LEASE + timedelta(seconds=1))
    assert sweeper.tick(now + job_transitions.LEASE + timedelta(seconds=1)) == 1
    assert (row(engine, job_id).status, history(engine, job_id)) == ("queued", [(1, "webhook", "lost")])


def test_two_sweepers_do_no_harm(engine: Engine, broker: Broker) -> None:
    now = datetime.now(UTC)
    for number in range(5):
        accept(engine, push=make_push(f"refs/tags/v{number}"), now=now)
    app = make_celery(broker.url)
    assert Sweeper(engine, app, RULES).tick(now + LATER) == 5
    assert Sweeper(engine, app, RULES).tick(now + LATER) == 0


def test_a_huge_repository_keeps_no_other_from_its_turn(engine: Engine) -> None:
    for number in range(300):
        accept(engine, push=make_push(f"refs/tags/v{number}"), work=(make_work(version=f"v{number}"),))
    push = replace(make_push("refs/tags/late"), repository=Repository("github", "acme/small", "main"))
    late = accept(engine, push=push, work=(make_work(version="late"),), now=NOW + timedelta(minutes=1)).jobs[0]
    other = accept(engine, push=push, work=(make_work("eu", "late"),), now=NOW + timedelta(minutes=1)).jobs[0]
    feeder, now = Feeder(engine, {"default": 5.0}), NOW + timedelta(minutes=5)
    chosen = feeder.choose(feeder.waiting(), now=now, until=now, room=100)
    assert {late, other} <= set(chosen[:4])
    assert len(chosen) == 11, "two seconds of the pace of one target, and the one job of the other"


def test_more_repositories_than_one_sweep_looks_at_all_get_their_turn(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(due_jobs, "MOST_REPOSITORIES", 2)
    for number in range(5):
        push = replace(make_push(), repository=Repository("github", f"acme/r{number}", "main"))
        accept(engine, push=push, work=(make_work(version=f"v{number}"),))
    feeder, now = Feeder(engine, {"default": 20.0}), NOW + timedelta(minutes=5)
    chosen = [feeder.choose(feeder.waiting(), now=now, until=now, room=100) for _ in range(3)]
    assert [len(ids) for ids in chosen] == [2, 2, 1]
    assert len({job_id for ids in chosen for job_id in ids}) == 5


def test_a_sweep_reads_the_backlog_by_its_index_alone(engine: Engine) -> None:
    if engine.dialect.name != "sqlite":
        pytest.skip("PostgreSQL plans by statistics, and scans a table as small as a test's")
    plans: list[str] = []

    def explain(connection: Any, _: Any, statement: str, parameters: Any, *__: Any) -> None:
        if "FROM jobs" in statement and not statement.startswith("EXPLAIN"):
            raw = connection.connection.driver_connection.execute("EXPLAIN QUERY PLAN " + statement, parameters)
            plans.extend(step[3] for step in raw)

    accept(engine)
    sa.event.listen(engine, "before_cursor_execute", explain)
    feeder, now = Feeder(engine, {"default": 20.0}), NOW + timedelta(minutes=5)
    assert len(feeder.choose(feeder.waiting(), now=now, until=now, room=100)) == 1
    assert plans
    assert {"ix_jobs_due" in plan for plan in plans} == {True}, plans


def test_a_wiped_broker_is_noticed_before_the_messages_would_be_sent_again_anyway(engine: Engine, broker: Broker) -> None:
    now = datetime.now(UTC)
    accept(engine, now=now)
    sweeper = Sweeper(engine, make_celery(broker.url), RULES)
    assert sweeper.tick(now + LATER) == 1
    broker.kill()
    broker.start()
    assert sweeper.tick(now + LATER + UNHEARD_AFTER) == 1


def test_five_hundred_jobs_that_a_wiped_broker_forgot_are_knocked_for_within_two_sweeps(engine: Engine, broker: Broker) -> None:
    now = datetime.now(UTC)
    made = [
        accept(engine, now=now, push=make_push(f"refs/tags/v{n}", f"{n:040x}"), work=(make_work("default", f"v{n}"),)).jobs[0]
        for n in range(WINDOW)
    ]
    app = make_celery(broker.url)
    publish(app, made, is_busy=False)
    assert queue_length(app) > 0
    broker.kill()
    broker.start()
    sweeper = Sweeper(engine, app, RULES)
    back = now + UNHEARD_AFTER
    assert sweeper.tick(back) + sweeper.tick(back + INTERVAL) == WINDOW

"""The sweeper against a real broker: it knocks for what is due, waits out a dead broker, and never floods."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from sqlalchemy.engine import Engine

from shared import jobs
from shared.jobs import KNOCK_AGAIN_AFTER
from shared.queue import make_celery, publish, queue_length
from tests.conftest import Broker
from tests.integration.test_ledger import accept, claim, history, make_push, row
from worker.sweeper import WINDOW, Sweeper

LATER = KNOCK_AGAIN_AFTER + timedelta(seconds=1)


def test_it_knocks_for_a_job_whose_message_was_lost_and_not_again_at_once(engine: Engine, broker: Broker) -> None:
    now = datetime.now(UTC)
    job_id = accept(engine, now=now).jobs[0]
    sweeper = Sweeper(engine, make_celery(broker.url))
    assert sweeper.tick(now) == 0, "the receiver has only just knocked"
    assert sweeper.tick(now + LATER) == 1
    assert sweeper.tick(now + LATER + timedelta(seconds=1)) == 0
    assert queue_length(make_celery(broker.url)) == 1
    assert row(engine, job_id).knock_at == now + LATER + KNOCK_AGAIN_AFTER


def test_while_the_broker_is_away_rows_stay_due_and_are_knocked_for_on_its_return(engine: Engine, broker: Broker) -> None:
    now = datetime.now(UTC)
    accept(engine, now=now)
    broker.kill()
    sweeper = Sweeper(engine, make_celery(broker.url))
    assert sweeper.tick(now + LATER) == 0
    broker.start()
    assert sweeper.tick(now + LATER) == 1


def test_a_full_queue_gets_no_more_knocks(engine: Engine, broker: Broker) -> None:
    app = make_celery(broker.url)
    now = datetime.now(UTC)
    accept(engine, now=now)
    for _ in range(WINDOW):
        publish(app, ["x"])
    assert queue_length(app) == WINDOW
    assert Sweeper(engine, app).tick(now + LATER) == 0


def test_a_lost_lease_is_rescued_and_knocked_for(engine: Engine, broker: Broker) -> None:
    now = datetime.now(UTC)
    job_id = accept(engine, now=now).jobs[0]
    assert claim(engine, job_id, now) is not None
    sweeper = Sweeper(engine, make_celery(broker.url))
    assert sweeper.tick(now + jobs.LEASE + timedelta(seconds=1)) == 1
    assert (row(engine, job_id).status, history(engine, job_id)) == ("queued", [(1, "webhook", "lost")])


def test_two_sweepers_do_no_harm(engine: Engine, broker: Broker) -> None:
    now = datetime.now(UTC)
    for number in range(5):
        accept(engine, push=make_push(f"refs/tags/v{number}"), now=now)
    app = make_celery(broker.url)
    assert Sweeper(engine, app).tick(now + LATER) == 5
    assert Sweeper(engine, app).tick(now + LATER) == 0

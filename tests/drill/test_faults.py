"""Single faults on real processes: a wiped broker with 500 jobs queued, a target that is down, a worker told to stop."""

from __future__ import annotations

import json
import os
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
import redis
import sqlalchemy as sa

from shared.ledger.tables import SCHEMA, attempts, jobs, target_states
from tests.drill.drill import Drill, Plan
from tests.e2e.running import descendants, wait_until
from worker.sweeper.loop import INTERVAL, UNHEARD_AFTER, WINDOW

pytestmark = pytest.mark.world

SLACK_SECONDS = 1.0  # for the log line of a sweep to come here
CONCURRENCY = 8  # of a drill's worker


@contextmanager
def stage(folder: Path) -> Iterator[Drill]:
    """The parts of a drill, none of them killed by itself, in fair weather."""
    drill = Drill(replace(Plan(), share=0.0), folder, print)
    try:
        SCHEMA.upgrade(drill.engine)
        drill.broker.start()
        for part in (drill.web, drill.sweeper):
            part.start()
            part.await_up()
        yield drill
    finally:
        drill.stop()


def deliver(drill: Drill, number: int) -> None:
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(drill._deliver, range(1, number + 1)))


def knocked(drill: Drill) -> list[int]:
    """How many jobs each sweep so far has knocked for."""
    events = [json.loads(line) for line in list(drill.sweeper.lines) if line.startswith("{")]
    return [event["jobs"] for event in events if event["event"] == "sweep.knocked"]


def test_five_hundred_jobs_whose_messages_were_wiped_complete_without_a_human(tmp_path: Path) -> None:
    """All of them are sent again within two sweeps of the broker's return; then they take what their work takes."""
    with stage(tmp_path) as drill:
        drill.worker.start()
        drill.worker.await_up()
        drill.target.slow_seconds = 2.0
        deliver(drill, 540)
        time.sleep(UNHEARD_AFTER.total_seconds())
        sweeps = len(knocked(drill))
        drill.broker.wipe()
        drill.target.slow_seconds = 0.0
        assert drill._by_status()["queued"] >= WINDOW == 500
        drill.broker.start()
        back = time.monotonic()
        wait_until(lambda: sum(knocked(drill)[sweeps:]) >= WINDOW, 2 * INTERVAL.total_seconds() + SLACK_SECONDS)
        wait_until(lambda: drill._by_status() == {"succeeded": 540}, 60, lambda: str(drill._by_status()))
        print(f"all had succeeded {time.monotonic() - back:.1f} s after the return of the broker")
        assert set(drill.target.releases.values()) == {1}


SICK = {
    "read-only": (("REPLICAOF", "127.0.0.1", "1"), ("REPLICAOF", "NO", "ONE")),
    "full": (("CONFIG", "SET", "maxmemory", "1"), ("CONFIG", "SET", "maxmemory", "0")),
}


@pytest.mark.parametrize("how", list(SICK))
def test_a_broker_that_takes_nothing_for_a_while_is_waited_for(tmp_path: Path, how: str) -> None:
    """As after a failover, or with its memory used up. Nobody dies of it, and no sender notices."""
    with stage(tmp_path) as drill:
        drill.worker.start()
        drill.worker.await_up()
        before = [part.pid for part in (drill.web, drill.worker, drill.sweeper)]
        deliver(drill, 5)
        wait_until(lambda: drill._by_status() == {"succeeded": 5}, 30)
        make_sick, heal = SICK[how]
        with redis.Redis.from_url(drill.broker.url) as client:
            client.execute_command(*make_sick)
            began = cpu_seconds(drill)
            for number in range(6, 26):
                drill._deliver(number)
            time.sleep(5)
            assert set(drill.report.statuses) == {"202", "200"}
            assert cpu_seconds(drill) - began < 3, "it waits, and does not spin"
            client.execute_command(*heal)
        wait_until(lambda: drill._by_status() == {"succeeded": 25}, 40, lambda: str(drill._by_status()))
        assert all(part.is_running() for part in (drill.web, drill.worker, drill.sweeper))
        assert [part.pid for part in (drill.web, drill.worker, drill.sweeper)] == before
        assert set(drill.target.releases.values()) == {1}


def test_while_its_target_is_down_a_worker_follows_the_schedule_and_is_idle(tmp_path: Path) -> None:
    """Ten minutes of outage made short: fifteen seconds, in which few attempts are made and next to no CPU time is spent."""
    with stage(tmp_path) as drill:
        drill.worker.start()
        drill.worker.await_up()
        drill.target.is_down = True
        deliver(drill, 100)
        wait_until(lambda: states(drill) == ["paused"], 20)
        time.sleep(1)
        asked, before = drill.target.requests, cpu_seconds(drill)
        assert asked <= 5 + CONCURRENCY, "paused after five, but for those that were under way"
        time.sleep(15)
        assert drill.target.requests - asked <= 3, "one probe after 5, 10 and 20 s"
        spent = cpu_seconds(drill) - before
        print(f"CPU seconds of worker and sweeper in 15 s: {spent:.2f}")
        assert spent < 1.5
        for number, wait in waits(drill):
            latest = 2.0 * 3 ** (number - 1)
            assert latest / 2 <= wait <= latest, f"after attempt {number} it waits {wait} s"
        drill.target.is_down = False
        hurry = threading.Thread(target=drill._hurry, daemon=True)
        hurry.start()
        wait_until(lambda: drill._by_status() == {"succeeded": 100}, 60, lambda: str(drill._by_status()))
        drill._ended.set()
        hurry.join(5)
        assert set(drill.target.releases.values()) == {1}


def states(drill: Drill) -> list[str]:
    with drill.engine.begin() as connection:
        return list(connection.execute(sa.select(target_states.c.state)).scalars())


def cpu_seconds(drill: Drill) -> float:
    """What worker and sweeper have used so far, in the kernel and out of it."""
    spent = 0
    for part in (drill.worker, drill.sweeper):
        assert part.pid is not None
        for pid in (part.pid, *(pid for pid, _ in descendants(part.pid))):
            fields = (Path("/proc") / str(pid) / "stat").read_text().rpartition(")")[2].split()
            spent += int(fields[11]) + int(fields[12])
    return spent / os.sysconf("SC_CLK_TCK")


def waits(drill: Drill) -> list[tuple[int, float]]:
    """(the last attempt's number, seconds from its end to the next one) of each job that is to be tried again."""
    statement = sa.select(attempts.c.number, attempts.c.finished_at, jobs.c.next_attempt_at).join(
        jobs, jobs.c.id == attempts.c.job_id
    )
    wanted = statement.where(jobs.c.status == "retrying", attempts.c.number == jobs.c.attempts)
    with drill.engine.begin() as connection:
        found = [(row.number, (row.next_attempt_at - row.finished_at).total_seconds()) for row in connection.execute(wanted)]
    assert len(found) >= 5
    return found


def test_a_worker_stopped_in_the_middle_of_a_job_finishes_it(tmp_path: Path) -> None:
    with stage(tmp_path) as drill:
        drill.worker.start()
        drill.worker.await_up()
        drill.target.slow_seconds = 4.0
        drill._deliver(1)
        wait_until(lambda: drill._by_status() == {"running": 1}, 30)
        stopping = threading.Thread(target=drill.worker.stop)
        stopping.start()
        time.sleep(0.5)
        drill._deliver(2)
        stopping.join(30)
        assert not stopping.is_alive(), "SIGTERM is obeyed within thirty seconds"
        assert drill._by_status() == {"succeeded": 1, "queued": 1}
        assert list(drill.target.releases.values()) == [1]


def test_a_worker_that_cannot_finish_in_time_hands_its_job_back_and_another_one_does_it(tmp_path: Path) -> None:
    """Its attempt takes six seconds to read a list, then sends; the target would answer long after the thirty seconds."""
    with stage(tmp_path) as drill:
        drill.worker.start()
        drill.worker.await_up()
        drill.target.slow_lists, drill.target.slow_seconds = 6.0, 40.0
        drill._deliver(1)
        wait_until(lambda: drill._by_status() == {"running": 1}, 30)
        seconds = drill.worker.stop()
        assert 20 < seconds < 30
        assert outcomes(drill) == ["held"]
        assert drill._by_status() == {"queued": 1}
        drill.target.slow_lists = drill.target.slow_seconds = 0.0
        drill.worker.start()
        wait_until(lambda: drill._by_status() == {"succeeded": 1}, 30)
        assert outcomes(drill) == ["held", "succeeded"]
        assert list(drill.target.releases.values()) == [1]


def outcomes(drill: Drill) -> list[str]:
    with drill.engine.begin() as connection:
        return list(connection.execute(sa.select(attempts.c.outcome).order_by(attempts.c.job_id, attempts.c.number)).scalars())

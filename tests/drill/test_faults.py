"""Single faults on real processes: a wiped broker with hundreds of jobs queued, a worker stopped in the middle of one."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from shared.models import SCHEMA
from tests.drill.drill import Drill, Plan
from tests.e2e.running import wait_until

pytestmark = pytest.mark.e2e


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


def test_jobs_whose_messages_were_wiped_complete_without_a_human(tmp_path: Path) -> None:
    with stage(tmp_path) as drill:
        for number in range(200):
            drill._deliver(number)
        assert drill._by_status() == {"queued": 200}
        drill.broker.wipe()
        drill.broker.start()
        drill.worker.start()
        drill.worker.await_up()
        wait_until(lambda: drill._by_status() == {"succeeded": 200}, 60, lambda: str(drill._by_status()))
        assert set(drill.target.releases.values()) == {1}


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

"""SCALE: what more processes and threads bring, on PostgreSQL: receivers, and workers whose target takes its time, on both
brokers. Absolute, not ratios: the first line of each table is what the others are to be held against."""

from __future__ import annotations

import json
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from bench import backlog, receivers
from bench.databases import NewDatabase, postgresql
from bench.report import RESULTS
from bench.server import Served
from shared.broker import make_celery, publish
from shared.infra.database import make_engine
from shared.ledger.tables import SCHEMA
from tests.drill.parts import RABBITMQ, RabbitMq
from webhook.local.environment import free_port

_RECEIVERS = (1, 2, 4)
_DELIVERIES = 6_000
_WORKERS = ((1, 1), (1, 2), (1, 8), (1, 16), (2, 8), (4, 8))  # processes, threads of each
_TARGET_SECONDS = 0.1
_JOBS_A_THREAD, _LEAST = 80, 160
_PATIENCE = 120.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One set-up and its rate: deliveries or jobs a second."""

    part: str
    setup: str
    rate: float


def measure() -> list[Step]:
    with tempfile.TemporaryDirectory(prefix="tagship-bench-") as name, postgresql(Path(name)) as new_database:
        folder = Path(name)
        with receivers.broker(folder) as broker:
            steps = [_accepting(folder, new_database, broker, processes) for processes in _RECEIVERS]
        with receivers.broker(folder) as broker:  # another: no worker is to read the knocks of those deliveries first
            steps += [_working(folder, new_database, "Redis", broker, *setup) for setup in _WORKERS]
        if RABBITMQ.exists():
            with _rabbitmq(folder) as broker:
                steps += [_working(folder, new_database, "RabbitMQ", broker, *setup) for setup in _WORKERS[-3:]]
        return steps


def _accepting(folder: Path, new_database: NewDatabase, broker: str, processes: int) -> Step:
    _say(f"{processes} receivers")
    with receivers.ours(folder, new_database(f"receivers-{processes}"), broker, workers=processes) as address:
        send = receivers.sender(address, _DELIVERIES)
        send()
        return Step(part="accepting", setup=f"receiver processes: {processes}", rate=round(send().rate, 1))


def _working(folder: Path, new_database: NewDatabase, kind: str, broker: str, processes: int, threads: int) -> Step:
    setup = f"{kind}, workers: {processes}, threads of each: {threads}"
    _say(setup)
    url = new_database(f"{kind}-{processes}-{threads}")
    engine = make_engine(url)
    SCHEMA.upgrade(engine)
    count = max(_LEAST, _JOBS_A_THREAD * processes * threads)
    port = free_port()
    with ExitStack() as stack:
        command = ["-m", "bench.peers.slow_target", str(port), str(_TARGET_SECONDS)]
        target = stack.enter_context(Served(command, {}, port, health="/"))
        environ = {**backlog.environment(folder, url, broker, target), "WORKER_CONCURRENCY": str(threads)}
        ids = backlog.store(engine, environ, count)
        for number in range(processes):
            stack.enter_context(backlog.process(["-m", "worker", "run"], environ, folder, f"worker-{number}"))
        started = time.perf_counter()
        publish(make_celery(broker), ids, is_busy=False)
        while (done := backlog.succeeded(engine)) < count:
            if time.perf_counter() - started > _PATIENCE:
                raise RuntimeError(f"{setup}: {done} of {count} jobs in {_PATIENCE:.0f} s")
            time.sleep(0.02)
        rate = count / (time.perf_counter() - started)
    engine.dispose()
    return Step(part=f"jobs, a target that takes {_TARGET_SECONDS * 1_000:.0f} ms", setup=setup, rate=round(rate, 1))


@contextmanager
def _rabbitmq(folder: Path) -> Iterator[str]:
    server = RabbitMq(folder)
    server.start()
    try:
        yield server.url
    finally:
        server.stop()


def _say(setup: str) -> None:
    print(f"SCALE: {setup}", file=sys.stderr, flush=True)


def table(steps: list[Step]) -> str:
    lines: list[str] = []
    for part in dict.fromkeys(step.part for step in steps):
        lines += ["", f"| {part} | a second |", "| --- | ---: |"]
        lines += [f"| {step.setup} | {step.rate:,.0f} |" for step in steps if step.part == part]
    return "\n".join(lines[1:])


def save(steps: list[Step], machine: dict[str, Any]) -> None:
    data = {
        "measured_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": machine,
        "steps": [asdict(step) for step in steps],
    }
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / "scale.json").write_text(json.dumps(data, indent=2) + "\n", encoding="utf-8")
    (RESULTS / "scale.md").write_text(f"# Scale\n\n{table(steps)}\n", encoding="utf-8")

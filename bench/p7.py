"""P7: how fast one worker and the sweeper drain, and how much the worker holds, while a hundred thousand jobs wait after an
outage, beside the same with nothing else waiting."""

from __future__ import annotations

import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

from bench import backlog, receivers
from bench.databases import NewDatabase, postgresql, sqlite
from bench.outage import Ledger, memory_mb, open_ledger
from bench.row import Result, Side, compare

_WAITING = 100_000  # never fewer than this, up to the end of the last run
_COUNT = 1_500  # jobs in a run
_BEGUN, _NEARLY_DONE = _COUNT // 10, _COUNT * 19 // 20  # the clock runs between these: processes start, and the last job ends


@dataclass(slots=True)
class _Drain:
    """Drains a run's worth from a ledger each time it is called; jobs a second. Remembers the worker's megabytes."""

    ledger: Ledger
    is_alone: bool
    begun_mb: list[float] = field(default_factory=list)
    ended_mb: list[float] = field(default_factory=list)

    def __call__(self) -> float:
        if self.is_alone:
            self.ledger.store(_COUNT)
        before = backlog.succeeded(self.ledger.engine)
        with self.ledger.worked_on() as worker:
            self.ledger.await_done(before + _BEGUN)
            first, started = backlog.succeeded(self.ledger.engine), time.perf_counter()
            self.begun_mb.append(memory_mb(worker))
            self.ledger.await_done(before + _NEARLY_DONE)
            last, ended = backlog.succeeded(self.ledger.engine), time.perf_counter()
            self.ended_mb.append(memory_mb(worker))
            if self.is_alone:
                self.ledger.await_done(before + _COUNT)  # the next run is to be alone, too
        return (last - first) / (ended - started)


def measure(runs: int) -> list[Result]:
    results: list[Result] = []
    for kind, databases in (("SQLite", sqlite), ("PostgreSQL", postgresql)):
        with (
            tempfile.TemporaryDirectory(prefix="tagship-bench-") as name,
            receivers.broker(Path(name)) as broker,
            databases(Path(name)) as new_database,
        ):
            results += _compare(kind, Path(name), broker, new_database, runs)
    return results


def _compare(kind: str, folder: Path, broker: str, new_database: NewDatabase, runs: int) -> list[Result]:
    with backlog.endpoint(folder, new_database("releases")) as target:
        behind, alone = (
            _Drain(open_ledger(folder, new_database(name), broker, target), is_alone=name == "alone")
            for name in ("behind", "alone")
        )
        print(f"P7: {kind}: storing {_WAITING:,} jobs", file=sys.stderr, flush=True)
        behind.ledger.store(_WAITING + (runs + 1) * _COUNT)
        names = f"{_WAITING:,} waiting", "nothing else waiting"
        sides = Side(name=names[0], measure=behind), Side(name=names[1], measure=alone)
        rate = compare("P7", f"draining, one worker, {kind}", "jobs/s", *sides, runs=runs, required=0.9)
    return [
        rate,
        _memory(f"the worker's memory after {_COUNT:,} jobs, {kind}", names, behind.ended_mb, alone.ended_mb),
        _memory(
            f"the worker's memory with {_WAITING:,} waiting, {kind}",
            (f"after {_NEARLY_DONE:,} jobs", f"after {_BEGUN:,} jobs"),
            behind.ended_mb,
            behind.begun_mb,
        ),
    ]


def _memory(case: str, names: tuple[str, str], ours: list[float], peer: list[float]) -> Result:
    figures = {names[0]: ours[1:], names[1]: peer[1:]}  # the first round does not count
    return Result(row="P7", case=case, unit="MB", ours=names[0], peer=names[1], figures=figures, required=1.1, is_most=True)

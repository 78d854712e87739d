"""The memory of one worker over fifty thousand jobs: it must not grow with what was done. No peer, and ten minutes long."""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path

from bench import backlog, receivers
from bench.outage import memory_mb, open_ledger
from bench.row import Result

_JOBS, _STEP = 50_000, 5_000


def measure(_: int = 1) -> list[Result]:
    """One run whatever is asked for; a line for each step."""
    with tempfile.TemporaryDirectory(prefix="tagship-bench-") as name, receivers.broker(Path(name)) as broker:
        folder = Path(name)
        with backlog.endpoint(folder, f"sqlite:///{folder / 'releases.sqlite3'}") as target:
            ledger = open_ledger(folder, f"sqlite:///{folder / 'ledger.sqlite3'}", broker, target)
            ledger.store(_JOBS)
            held = []
            with ledger.worked_on() as worker:
                started = time.monotonic()
                for done in range(_STEP, _JOBS + 1, _STEP):
                    ledger.await_done(done)
                    held.append(memory_mb(worker))
                    seconds = time.monotonic() - started
                    print(f"MEMORY: {done:,} jobs, {seconds:,.0f} s, {held[-1]:.1f} MB", file=sys.stderr, flush=True)
    return [
        Result(
            row="MEMORY",
            case=f"one worker over {_JOBS:,} jobs, SQLite",
            unit="MB",
            ours=f"after {_JOBS:,}",
            peer=f"after {_STEP:,}",
            figures={f"after {_JOBS:,}": held[-1:], f"after {_STEP:,}": held[:1]},
            required=1.1,
            is_most=True,
            notes={"megabytes_each_5000_jobs": [round(one, 1) for one in held]},
        )
    ]

"""P1, P2, P3: accepting a delivery (verified, deduplicated, committed, knocked for) beside the receivers of others."""

from __future__ import annotations

import shutil
import statistics
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

from bench import receivers
from bench.databases import postgresql, sqlite
from bench.row import Result, Side, compare

_COUNT = 6_000  # deliveries in a run: two to ten seconds
_UNIT = "deliveries/s"
_DATABASES = {"SQLite": sqlite, "PostgreSQL": postgresql}


class _Measured:
    """Sends a run's worth and remembers how slow the slowest hundredth was."""

    def __init__(self, address: str) -> None:
        self._send = receivers.sender(address, _COUNT)
        self.p99: list[float] = []

    def __call__(self) -> float:
        load = self._send()
        self.p99.append(load.percentile(0.99))
        return load.rate


def p1(runs: int) -> list[Result]:
    """Against the hand-written Flask + Celery receiver on gunicorn's sync workers."""
    return [
        _against("P1", kind, required, "hand-written Flask + Celery", lambda _, broker: receivers.handwritten(broker), runs)
        for kind, required in (("SQLite", 1.7), ("PostgreSQL", 2.2))
    ]


def p2(runs: int) -> list[Result]:
    """Against the limit: the same server, the HMAC and the JSON, and nothing else."""
    results = []
    for kind, required in (("SQLite", 0.30), ("PostgreSQL", 0.38)):
        results.append(_against("P2", kind, required, "HMAC + JSON only", lambda folder, _: receivers.bare(folder), runs))
    return results


def p3(runs: int) -> list[Result]:
    """On PostgreSQL, against the receivers in Node and Go, where these programs are there."""
    results = []
    if shutil.which("node") and shutil.which("npm"):
        results.append(_against_node("P3", 1.0, "Node + PostgreSQL + BullMQ", with_database=True, runs=runs))
        results.append(_against_node("P3b", 0.5, "Node + BullMQ, nothing durable", with_database=False, runs=runs))
    else:
        print("P3: node and npm are not here; its rows are left out", file=sys.stderr)
    if shutil.which("webhook"):
        results.append(_against("P3b", "PostgreSQL", 0.7, "Go: webhook", lambda folder, _: receivers.go(folder), runs))
    else:
        print("P3b: the program `webhook` is not here; its row is left out", file=sys.stderr)
    return results


def _against_node(row: str, required: float, name: str, *, with_database: bool, runs: int) -> Result:
    with _room() as (folder, broker), postgresql(folder) as new_database:
        url = new_database("peer") if with_database else None
        with (
            receivers.ours(folder, new_database("ours"), broker) as ours,
            receivers.node(folder, broker, url and url.replace("postgresql+psycopg", "postgresql")) as peer,
        ):
            return _compare(row, "PostgreSQL", required, ours, peer, name, runs)


def _against(
    row: str,
    kind: str,
    required: float,
    name: str,
    start: Callable[[Path, str], AbstractContextManager[str]],
    runs: int,
) -> Result:
    with (
        _room() as (folder, broker),
        _DATABASES[kind](folder) as new_database,
        receivers.ours(folder, new_database("ours"), broker) as ours,
        start(folder, broker) as peer,
    ):
        return _compare(row, kind, required, ours, peer, name, runs)


@contextmanager
def _room() -> Iterator[tuple[Path, str]]:
    with tempfile.TemporaryDirectory(prefix="tagship-bench-") as name, receivers.broker(Path(name)) as broker:
        yield Path(name), broker


def _compare(row: str, kind: str, required: float, ours: str, peer: str, name: str, runs: int) -> Result:
    mine, theirs = _Measured(ours), _Measured(peer)
    sides = Side(name=f"Tagship on {kind}", measure=mine), Side(name=name, measure=theirs)
    result = compare(row, f"accept on {kind} / {name}", _UNIT, *sides, runs=runs, required=required)
    ours_ms, theirs_ms = (1_000 * statistics.median(side.p99[1:]) for side in (mine, theirs))
    result.notes.update(
        p99_ms={"ours": round(ours_ms, 1), "peer": round(theirs_ms, 1)}, p99_ratio=round(ours_ms / theirs_ms, 2)
    )
    return result

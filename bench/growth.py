"""How accepting a delivery grows with what is sent, how much is stored and how many send at once. Absolute, not ratios:
each curve is one run on one machine, and its first point is what the others are to be held against."""

from __future__ import annotations

import itertools
import json
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from bench import receivers
from bench.blast import blast
from bench.databases import postgresql, sqlite
from bench.filling import fill
from bench.report import RESULTS
from bench.webhooks import PATH, body, requests
from shared.infra.database import make_engine
from shared.ledger.tables import SCHEMA

_SIZES = (1_000, 8_000, 64_000, 500_000, 5_000_000)  # bytes
_COMMITS = (1, 20, 100, 500, 2_048)
_SENDERS = (1, 4, 16, 64, 256)
_STORED = (0, 10_000, 100_000, 1_000_000)
_BYTES_A_POINT = 150_000_000
_MOST, _LEAST = 4_000, 30  # deliveries a point


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """One measurement. `rate` is deliveries a second, times are milliseconds."""

    database: str
    curve: str
    at: int
    rate: float
    p50: float
    p99: float


def measure() -> list[Point]:
    points: list[Point] = []
    for kind, databases in (("SQLite", sqlite), ("PostgreSQL", postgresql)):
        with tempfile.TemporaryDirectory(prefix="tagship-bench-") as name, databases(Path(name)) as new_database:
            with _receiver(Path(name), new_database("empty")) as address:
                for size in _SIZES:
                    points.append(_point(kind, "bytes of a payload", size, address, body(commits=1, size=size)))
                for commits in _COMMITS:
                    template = body(commits=commits, size=0)
                    points.append(_point(kind, "commits of a push", commits, address, template))
                for senders in _SENDERS:
                    points.append(_point(kind, "parallel senders", senders, address, body(), senders))
            for stored in _STORED:
                url = new_database(f"stored-{stored}")
                engine = make_engine(url)
                SCHEMA.upgrade(engine)
                if stored:
                    fill(engine, stored)
                engine.dispose()
                with _receiver(Path(name), url) as address:
                    points.append(_point(kind, "stored deliveries", stored, address, body()))
    return points


@contextmanager
def _receiver(folder: Path, url: str) -> Iterator[str]:
    with receivers.broker(folder) as broker, receivers.ours(folder, url, broker) as address:
        yield address


def _point(kind: str, curve: str, at: int, address: str, template: bytes, senders: int = receivers.CONNECTIONS) -> Point:
    count = max(_LEAST, min(_MOST, _BYTES_A_POINT // len(template)))
    endless = requests(template)
    blast(address + PATH, list(itertools.islice(endless, max(_LEAST, count // 10))), connections=senders)
    load = blast(address + PATH, list(itertools.islice(endless, count)), connections=senders)
    return Point(
        database=kind,
        curve=curve,
        at=at,
        rate=round(load.rate, 1),
        p50=round(load.percentile(0.5) * 1_000, 1),
        p99=round(load.percentile(0.99) * 1_000, 1),
    )


def table(points: list[Point]) -> str:
    lines = []
    for curve in dict.fromkeys(point.curve for point in points):
        lines += ["", f"| {curve} | SQLite: deliveries/s | p50 / p99 ms | PostgreSQL: deliveries/s | p50 / p99 ms |"]
        lines.append("| ---: " * 5 + "|")
        for at in dict.fromkeys(point.at for point in points if point.curve == curve):
            cells = [
                f"{point.rate:,.0f} | {point.p50:.0f} / {point.p99:.0f}"
                for point in points
                if (point.curve, point.at) == (curve, at)
            ]
            lines.append(f"| {at:,} | {' | '.join(cells)} |")
    return "\n".join(lines[1:])


def save(points: list[Point], machine: dict[str, Any]) -> None:
    data = {
        "measured_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": machine,
        "points": [asdict(point) for point in points],
    }
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / "growth.json").write_text(json.dumps(data, indent=2) + "\n", encoding="utf-8")
    (RESULTS / "growth.md").write_text(f"# Growth\n\n{table(points)}\n", encoding="utf-8")

"""`python -m bench.migrating OLD`: what a receiver of an earlier version answers while this version migrates its ledger.

The earlier checkout (its migrations, its rows, its receiver) fills a ledger, then signed pushes and tags come without a pause
while `db upgrade` of this checkout runs. Absolute figures, not ratios.
"""

from __future__ import annotations

import argparse
import http.client
import itertools
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from bench.databases import postgresql, sqlite
from bench.server import ROOT, Served
from bench.webhooks import PATH, SECRET, body, requests
from webhook.local.environment import free_port

_SENDERS = 4
_PAUSE = 0.02  # seconds of each sender between two requests
_AROUND = 5.0  # seconds before and after the migration
_PATIENCE = 60.0
_FILL = """
import sys
from bench.filling import fill
try:
    from shared.infra.database import make_engine
except ImportError:  # before the packages of decision 15
    from shared.db import make_engine
fill(make_engine(sys.argv[1]), int(sys.argv[2]))
"""


@dataclass(slots=True)
class Answers:
    """(moment it was sent, status, seconds) of each request; status 0: none came."""

    all: list[tuple[float, int, float]] = field(default_factory=list)

    def told(self, since: float, until: float) -> str:
        """Those under way between two moments, as one line."""
        some = [one for one in self.all if one[0] <= until and one[0] + one[2] >= since]
        statuses = Counter(status for _, status, _ in some)
        seconds = sorted(spent for _, _, spent in some)
        said = ", ".join(f"{number} x {status or 'no answer'}" for status, number in sorted(statuses.items()))
        return f"{len(some)} sent: {said}; median {statistics.median(seconds) * 1000:.1f} ms, slowest {seconds[-1]:.3f} s"


class Senders:
    """Webhooks from several connections until `stop`."""

    def __init__(self, address: str) -> None:
        parts = urlsplit(address)
        self._host, self._port = str(parts.hostname), int(parts.port or 80)
        self.answers = Answers()
        self._stopping = threading.Event()
        self._threads = [threading.Thread(target=self._send, args=(number,)) for number in range(_SENDERS)]
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        self._stopping.set()
        for thread in self._threads:
            thread.join()

    def _send(self, number: int) -> None:
        ref = "refs/heads/main" if number % 2 else f"refs/tags/v1.{number}"
        for request in itertools.chain.from_iterable(requests(body(size=4_000, ref=ref)) for _ in itertools.count()):
            if self._stopping.wait(_PAUSE):
                return
            head, _, content = request.partition(b"\r\n\r\n")
            headers = dict(line.split(": ", 1) for line in head.decode().split("\r\n")[1:])
            began, clock = time.time(), time.perf_counter()
            self.answers.all.append((began, self._one(headers, content), time.perf_counter() - clock))

    def _one(self, headers: dict[str, str], content: bytes) -> int:
        connection = http.client.HTTPConnection(self._host, self._port, timeout=_PATIENCE)
        try:
            connection.request("POST", PATH, content, headers)
            return connection.getresponse().status
        except (OSError, http.client.HTTPException):
            return 0
        finally:
            connection.close()


_MIGRATE = [sys.executable, "-m", "webhook", "db", "upgrade"]


def fill(old: Path, url: str, deliveries: int) -> None:
    """A ledger as the earlier version leaves it."""
    subprocess.run(_MIGRATE, cwd=old, env={**os.environ, "DATABASE_URL": url}, check=True)
    subprocess.run([sys.executable, "-c", _FILL, url, str(deliveries)], cwd=old, check=True)


def measure(old: Path, url: str, folder: Path) -> Iterator[str]:
    """Lines that say what was answered before, during and after the migration of this filled ledger."""
    port = free_port()
    environ = {
        "GITHUB_WEBHOOK_SECRET": SECRET,
        "DATABASE_URL": url,
        "DATA_DIR": str(folder),
        "PORT": str(port),
        "SENTRY_URL": "http://127.0.0.1:1",
        "WEB_CONCURRENCY": "2",
    }
    with (
        (folder / "receiver.log").open("wb") as log,
        Served(["-m", "webhook", "serve"], {**environ, "PYTHONPATH": str(old)}, port, log=log, folder=old) as address,
    ):
        senders = Senders(address)
        try:
            time.sleep(_AROUND)
            since = time.time()
            done = subprocess.run(_MIGRATE, cwd=ROOT, env=os.environ | environ, check=True, capture_output=True, text=True)
            until = time.time()
            time.sleep(_AROUND)
        finally:
            senders.stop()
    yield f"{done.stdout.strip()} after {until - since:.1f} s"
    yield f"before:    {senders.answers.told(0, since)}"
    yield f"meanwhile: {senders.answers.told(since, until)}"
    yield f"after:     {senders.answers.told(until, time.time())}"


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.migrating")
    parser.add_argument("old", type=Path, help="a checkout of the earlier version")
    parser.add_argument("--deliveries", type=int, default=1_000_000)
    parser.add_argument("--database", choices=("sqlite", "postgresql"), action="append")
    options = parser.parse_args()
    for name in options.database or ("sqlite", "postgresql"):
        with tempfile.TemporaryDirectory(prefix="tagship-migrating-") as made:
            folder = Path(made)
            folder.chmod(0o755)  # the PostgreSQL of the package runs as another user
            with (sqlite if name == "sqlite" else postgresql)(folder) as new_database:
                url = new_database("migrated")
                fill(options.old.resolve(), url, options.deliveries)
                for line in measure(options.old.resolve(), url, folder):
                    print(f"{name}: {line}", flush=True)


if __name__ == "__main__":
    main()

"""`python -m tests.security.memory_attack`: large bodies that nobody vouches for, and what they take of one web process.

Each row of the table is a process of its own: so many connections send one body of 26 MB each, all at the same time.
"""

from __future__ import annotations

import re
import socket
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from bench.server import Served
from shared.infra.database import make_engine
from shared.ledger.tables import SCHEMA
from tests.e2e.running import descendants
from tests.migrated import migrate
from webhook.local.environment import free_port

_BODY = b"x" * 26_000_000
CASES = {
    "false signature": "X-Hub-Signature-256: sha256=" + "0" * 64 + "\r\n",
    "no signature": "",
}
_SETTLE_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class Measured:
    """Resident memory in MiB: before, at most, and five seconds after the last answer. `answers` counts by status."""

    case: str
    connections: int
    before: float
    peak: float
    after: float
    answers: dict[str, int]

    def __str__(self) -> str:
        answers = ", ".join(f"{status} x {count}" for status, count in sorted(self.answers.items()))
        return f"| {self.case} | {self.connections} | {self.before:.0f} | {self.peak:.0f} | {self.after:.0f} | {answers} |"


def attack(case: str, connections: int) -> Measured:
    """Raises RuntimeError where the receiver does not start."""
    with tempfile.TemporaryDirectory(prefix="tagship-attack-") as name, receiver(Path(name)) as (port, pid):
        before = _resident(pid)
        peaks: list[float] = []
        done = threading.Event()

        def watch() -> None:
            while not done.wait(0.005):
                peaks.append(_resident(pid))

        watcher = threading.Thread(target=watch)
        watcher.start()
        with ThreadPoolExecutor(connections) as pool:
            answers = Counter(pool.map(lambda _: _send(port, CASES[case]), range(connections)))
        time.sleep(_SETTLE_SECONDS)
        done.set()
        watcher.join()
        return Measured(case, connections, before, max(peaks), _resident(pid), dict(answers))


def _send(port: int, proof: str) -> str:
    """The status that the sender saw, or what happened instead. As most clients do it writes all before it reads."""
    head = (
        f"POST /webhooks/github HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nX-GitHub-Event: push\r\n"
        f"X-GitHub-Delivery: attack\r\n{proof}Content-Length: {len(_BODY)}\r\n\r\n"
    )
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=60) as connection:
            connection.sendall(head.encode())
            connection.sendall(_BODY)
            answer = connection.recv(65_536)
    except OSError as problem:
        return type(problem).__name__
    status = re.match(rb"HTTP/1\.1 (\d{3})", answer)
    return status[1].decode() if status else "no answer"


@contextmanager
def receiver(folder: Path) -> Iterator[tuple[int, int]]:
    """(port, process id) of a receiver with one process that serves, as production runs it."""
    port, url = free_port(), f"sqlite:///{folder / 'ledger.sqlite3'}"
    migrate(make_engine(url), SCHEMA)
    environ = {
        "DATA_DIR": str(folder),
        "DATABASE_URL": url,
        "PORT": str(port),
        "WEB_CONCURRENCY": "1",
        "BROKER_URL": "redis://127.0.0.1:9/0",
        "GITHUB_WEBHOOK_SECRET": "secret-of-the-attacked",
        "OPS_TOKEN": "token-of-the-operators-here",
        "LOG_LEVEL": "ERROR",
    }
    served = Served(["-m", "webhook", "serve"], environ, port)
    with served:
        yield port, max((pid for pid, _ in descendants(served.pid)), key=_resident)


def _resident(pid: int) -> float:
    """MiB; 0.0 of a process that has ended."""
    try:
        return int(re.findall(r"VmRSS:\s+(\d+) kB", (Path("/proc") / str(pid) / "status").read_text())[0]) / 1024
    except (OSError, IndexError):
        return 0.0


def main(arguments: list[str]) -> int:
    print("| request | connections | before (MiB) | peak | after 5 s | answers |")
    print("| --- | --- | --- | --- | --- | --- |")
    for case in CASES:
        for connections in map(int, arguments or ["4", "40"]):
            print(attack(case, connections), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

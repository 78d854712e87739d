"""P5: a quiet system, from the first byte of a tag's webhook to its release readable at the embedded endpoint."""

from __future__ import annotations

import http.client
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from bench.backlog import TOKEN
from bench.databases import NewDatabase, postgresql, sqlite
from bench.row import Result
from bench.server import ROOT
from bench.webhooks import PATH, SECRET
from webhook.local.environment import free_port
from webhook.local.sample_webhooks import Sample, SampleCommit, github_push, sha, sign_github

_COUNT = 40  # tags in a run
_BOUNDS = {"p50": 60.0, "p99": 250.0}  # milliseconds
_PAUSE = 0.15  # between two tags, and a little more each time, so that no tag comes at the sweeper's own beat
_POLL = 0.001
_PATIENCE = 30.0
_RELEASES = "/api/0/organizations/local/releases/"


@dataclass(slots=True)
class _Times:
    """Milliseconds of one run's tags: until the release could be read, and until the webhook was answered."""

    readable: list[float] = field(default_factory=list)
    answered: list[float] = field(default_factory=list)


def measure(runs: int) -> list[Result]:
    results: list[Result] = []
    for kind, databases in (("SQLite", sqlite), ("PostgreSQL", postgresql)):
        with tempfile.TemporaryDirectory(prefix="tagship-bench-") as name, databases(Path(name)) as new_database:
            results += _results(kind, _measure(Path(name), new_database, runs))
    return results


def _results(kind: str, measured: list[_Times]) -> list[Result]:
    together = sorted(one for run in measured for one in run.readable)
    notes = {
        "tags": len(together),
        "p99_of_all_ms": round(_percentile(together, 0.99), 1),
        "slowest_ms": round(together[-1], 1),
        "answered_p50_ms": round(statistics.median(one for run in measured for one in run.answered), 1),
    }
    figures = {
        "p50": [statistics.median(run.readable) for run in measured],
        "p99": [_percentile(run.readable, 0.99) for run in measured],
    }
    return [
        Result(
            row="P5",
            case=f"webhook to readable release, {name} of {_COUNT} tags, {kind}",
            unit="ms",
            ours="whole stack",
            peer="bound",
            figures={"whole stack": figures[name], "bound": [bound]},
            required=1.0,
            is_most=True,
            notes=notes,
        )
        for name, bound in _BOUNDS.items()
    ]


def _percentile(figures: list[float], share: float) -> float:
    return sorted(figures)[min(len(figures) - 1, int(len(figures) * share))]


def _measure(folder: Path, new_database: NewDatabase, runs: int) -> list[_Times]:
    with _stack(folder, new_database) as (port, releases_port):
        looker = http.client.HTTPConnection("127.0.0.1", releases_port, timeout=_PATIENCE)
        measured = [_run(port, looker, number) for number in range(runs + 1)]
        looker.close()
    return measured[1:]


def _run(port: int, looker: http.client.HTTPConnection, number: int) -> _Times:
    times = _Times()
    start = uuid.uuid4().hex[:8]
    for n in range(_COUNT):
        time.sleep(_PAUSE + n / _COUNT * _POLL * 100)
        version = f"v{number}.{n}.0-{start}"
        request = _request(_tag(version))
        with socket.create_connection(("127.0.0.1", port), timeout=_PATIENCE) as connection:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            started = time.perf_counter()
            connection.sendall(request)
            answer = connection.recv(65_536)
            times.answered.append(1_000 * (time.perf_counter() - started))
            if not answer.startswith(b"HTTP/1.1 202"):
                raise RuntimeError(f"the receiver answered {answer[:200]!r}")
            _await(looker, version, started + _PATIENCE)
            times.readable.append(1_000 * (time.perf_counter() - started))
    return times


def _await(looker: http.client.HTTPConnection, version: str, give_up: float) -> None:
    """Ask every millisecond over the one connection until the release is there."""
    while True:
        looker.request("GET", f"{_RELEASES}{version}/", headers={"Authorization": f"Bearer {TOKEN}"})
        answer = looker.getresponse()
        answer.read()
        if answer.status == 200:
            return
        if answer.status != 404:
            raise RuntimeError(f"the endpoint answered {answer.status}")
        if time.perf_counter() > give_up:
            raise RuntimeError(f"the release {version} was not there after {_PATIENCE:.0f} s")
        time.sleep(_POLL)


def _tag(version: str) -> Sample:
    head = SampleCommit(f"Change for {version}", modified=("src/till.py",))
    push = github_push(repository="acme/shop", ref=f"refs/tags/{version}", head=head, after=sha(f"object {version}"))
    return sign_github(push, SECRET)


def _request(sample: Sample) -> bytes:
    headers = {"Host": "127.0.0.1", **sample.headers, "Content-Length": str(len(sample.body))}
    head = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    return f"POST {PATH} HTTP/1.1\r\n{head}\r\n".encode() + sample.body


@contextmanager
def _stack(folder: Path, new_database: NewDatabase) -> Iterator[tuple[int, int]]:
    """`make run`: broker, receiver, worker, sweeper and the embedded endpoint; the ports of receiver and endpoint."""
    port, releases_port = free_port(), free_port()
    environ: Mapping[str, str] = {
        "DATA_DIR": str(folder),
        "DATABASE_URL": new_database("ledger"),
        "RELEASES_DATABASE_URL": new_database("releases"),
        "PORT": str(port),
        "RELEASES_PORT": str(releases_port),
        "GITHUB_WEBHOOK_SECRET": SECRET,
        "SENTRY_AUTH_TOKEN": TOKEN,
        "SENTRY_ORG": "local",
        "SENTRY_PROJECT": "app",
        "GITHUB_API_URL": "off",
        "LOG_FORMAT": "json",
        "PYTHONPATH": str(ROOT),
    }
    log = folder / "stack.log"
    with log.open("wb") as written:
        process = subprocess.Popen(
            [sys.executable, "-m", "webhook", "run"],
            cwd=folder,
            env={**os.environ, **environ},
            stdout=written,
            stderr=subprocess.STDOUT,
        )
        try:
            give_up = time.monotonic() + _PATIENCE
            while b"\nready: " not in log.read_bytes():
                if process.poll() is not None or time.monotonic() > give_up:
                    raise RuntimeError(f"the stack did not come up:\n{log.read_text('utf-8')[-2000:]}")
                time.sleep(0.05)
            yield port, releases_port
        finally:
            process.terminate()
            process.wait(60)

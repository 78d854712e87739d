"""P9: the embedded releases endpoint creating a release with 1 and with 100 commits, against the floor of its inserts."""

from __future__ import annotations

import itertools
import json
import tempfile
from collections.abc import Callable
from pathlib import Path

from bench.databases import NewDatabase, postgresql, sqlite
from bench.load import requests_a_second
from bench.peers.releases_floor import AUTHORS, REPOSITORY
from bench.row import Result, Side, compare
from bench.server import Served
from webhook.local.environment import free_port

_TOKEN = "token-of-the-benchmark"
_REQUIRED = 0.5
_CASES = ((1, 600), (100, 60))  # commits in a release, releases in a run
_CONNECTIONS = 4
_PATH = "/api/0/organizations/local/releases/"
_HEADERS = {"Authorization": f"Bearer {_TOKEN}", "Content-Type": "application/json"}


def measure(runs: int) -> list[Result]:
    results: list[Result] = []
    for kind, databases in (("SQLite", sqlite), ("PostgreSQL", postgresql)):
        with tempfile.TemporaryDirectory(prefix="tagship-bench-") as folder, databases(Path(folder)) as new_database:
            results += _compare(kind, Path(folder), new_database, runs)
    return results


def _compare(kind: str, folder: Path, new_database: NewDatabase, runs: int) -> list[Result]:
    ours, floor = free_port(), free_port()
    environ = {
        "DATA_DIR": str(folder),
        "RELEASES_PORT": str(ours),
        "SENTRY_ORG": "local",
        "SENTRY_PROJECT": "app",
        "SENTRY_AUTH_TOKEN": _TOKEN,
        "WEB_CONCURRENCY": "2",
        "RELEASES_DATABASE_URL": new_database("ours"),
    }
    peer = {"RELEASES_DATABASE_URL": new_database("floor")}
    with (
        Served(["-m", "releases", "serve"], environ, ours) as our_address,
        Served(["-m", "bench.peers.releases_floor", str(floor)], peer, floor) as floor_address,
    ):
        return [
            compare(
                "P9",
                f"POST a release with {commits} commit{'s' if commits > 1 else ''}, {kind}",
                "releases/s",
                Side(name="endpoint", measure=_side(our_address, commits, count)),
                Side(name="floor", measure=_side(floor_address, commits, count)),
                runs=runs,
                required=_REQUIRED,
            )
            for commits, count in _CASES
        ]


def _side(address: str, commits: int, count: int) -> Callable[[], float]:
    numbers = itertools.count()

    def run() -> float:
        number = next(numbers)
        return requests_a_second(
            address + _PATH,
            _HEADERS,
            lambda n: _body(f"{commits}-{number}-{n}", commits),
            count=count,
            connections=_CONNECTIONS,
        )

    return run


def _body(name: str, commits: int) -> bytes:
    sent = [
        {
            "id": f"{name}-{n}",
            "repository": REPOSITORY,
            "message": f"Change number {n} of the release {name}\n\nWith a body of a usual length that says why.",
            "author_name": f"Author {n % AUTHORS}",
            "author_email": f"author{n % AUTHORS}@acme.test",
            "timestamp": f"2026-01-01T{23 - n // 60:02}:{59 - n % 60:02}:00+00:00",
            "patch_set": [{"path": f"src/module_{n}.py", "type": "M"}, {"path": f"tests/test_{n}.py", "type": "A"}],
        }
        for n in range(commits)
    ]
    return json.dumps({"version": name, "projects": ["app"], "commits": sent}).encode()

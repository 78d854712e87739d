"""P4: whole jobs a second of one worker, beside a plain loop that POSTs the same bodies to the same endpoint."""

from __future__ import annotations

import http.client
import tempfile
import time
from pathlib import Path

from bench import backlog, receivers
from bench.databases import NewDatabase, postgresql, sqlite
from bench.row import Result, Side, compare
from shared.broker import make_celery, publish
from shared.infra.database import make_engine
from shared.ledger.tables import SCHEMA

_COUNT = 400  # jobs in a run
_REQUIRED = 0.5
_PATIENCE = 120.0
_PATH = "/api/0/organizations/local/releases/"


def measure(runs: int) -> list[Result]:
    results = []
    for kind, databases in (("SQLite", sqlite), ("PostgreSQL", postgresql)):
        with (
            tempfile.TemporaryDirectory(prefix="tagship-bench-") as name,
            receivers.broker(Path(name)) as broker,
            databases(Path(name)) as new_database,
        ):
            results.append(_compare(kind, Path(name), broker, new_database, runs))
    return results


def _compare(kind: str, folder: Path, broker: str, new_database: NewDatabase, runs: int) -> Result:
    url = new_database("ledger")
    engine = make_engine(url)
    SCHEMA.upgrade(engine)
    app = make_celery(broker)
    with backlog.endpoint(folder, new_database("releases")) as target:
        environ = backlog.environment(folder, url, broker, target)

        def jobs() -> float:
            ids = backlog.store(engine, environ, _COUNT)
            wanted = backlog.succeeded(engine) + _COUNT
            started = time.perf_counter()
            publish(app, ids, is_busy=True)
            while backlog.succeeded(engine) < wanted:
                if time.perf_counter() - started > _PATIENCE:
                    raise RuntimeError(f"the worker did not finish {_COUNT} jobs in {_PATIENCE:.0f} s")
                time.sleep(0.02)
            return _COUNT / (time.perf_counter() - started)

        with backlog.process(["-m", "worker", "run"], environ, folder, "worker"):
            return compare(
                "P4",
                f"whole jobs, one worker, {kind}",
                "jobs/s",
                Side(name="worker", measure=jobs),
                Side(name="plain POST loop", measure=lambda: _post(target, backlog.bodies(_COUNT))),
                runs=runs,
                required=_REQUIRED,
            )


def _post(target: str, bodies: list[bytes]) -> float:
    """One kept-alive connection, one request after another, nothing read but the status."""
    headers = {"Authorization": f"Bearer {backlog.TOKEN}", "Content-Type": "application/json"}
    connection = http.client.HTTPConnection(target.removeprefix("http://"))
    started = time.perf_counter()
    for body in bodies:
        connection.request("POST", _PATH, body, headers)
        answer = connection.getresponse()
        answer.read()
        if answer.status not in (201, 208):
            raise RuntimeError(f"the endpoint answered {answer.status}")
    rate = len(bodies) / (time.perf_counter() - started)
    connection.close()
    return rate

"""A ledger as an outage of the broker or the target leaves it: jobs that are due, and no message for any of them."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import redis
import sqlalchemy as sa
from sqlalchemy.engine import Engine

from bench import backlog
from bench.filling import Writer
from bench.webhooks import pushes
from shared.config import rules_file
from shared.domain.push import Push
from shared.domain.rules import Rules, decide
from shared.domain.webhook import Incoming
from shared.forges import PROVIDERS
from shared.infra.database import make_engine
from shared.ledger import bulk_insert, push_history
from shared.ledger.deliveries import Arrival
from shared.ledger.tables import SCHEMA, commits, deliveries, jobs, payloads
from shared.ledger.tables import pushes as push_table
from webhook.local.sample_webhooks import Sample

_BATCH = 2_000
_APART = timedelta(milliseconds=20)
_LOOK = 0.1  # seconds
_PATIENCE = 60.0  # without one more job done

Row = dict[str, Any]


@dataclass(slots=True)
class Ledger:
    """A database of its own, and the processes' environment to work on it."""

    engine: Engine
    environ: Mapping[str, str]
    broker: str
    folder: Path
    heads: dict[str, str] = field(default_factory=dict)  # where each repository's pushes ended

    def store(self, count: int) -> None:
        """`count` pushes, each with its job, oldest first, all due. The commit log has them: the sweeper wrote it meanwhile."""
        rules = rules_file.load(backlog.settings_of(self.environ))
        with self.engine.connect() as connection:
            last = connection.execute(sa.select(sa.func.max(deliveries.c.seq))).scalar_one() or 0
        arrived = pushes(count, heads=self.heads)
        first = datetime.now(UTC) - count * _APART
        with Writer(self.engine) as writer:
            for start in range(0, count, _BATCH):
                numbers = range(start, min(start + _BATCH, count))
                arrivals = [_arrival(rules, sample, first + n * _APART) for n, sample in zip(numbers, arrived, strict=False)]
                _write(writer, arrivals, range(last + start + 1, last + start + len(arrivals) + 1))
        if self.engine.dialect.name == "postgresql":  # as autovacuum would by the time that so many have come
            with self.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
                connection.exec_driver_sql("ANALYZE")

    @contextmanager
    def worked_on(self) -> Iterator[int]:
        """One worker and one sweeper, with an empty broker; the worker's process id."""
        redis.Redis.from_url(self.broker).flushall()
        with (
            backlog.process(["-m", "worker", "run"], self.environ, self.folder, "worker") as worker,
            backlog.process(["-m", "worker", "sweep"], self.environ, self.folder, "sweeper"),
        ):
            yield worker.pid

    def await_done(self, wanted: int) -> None:
        """Until so many jobs of the ledger have succeeded."""
        done, moved_at = -1, time.monotonic()
        while (now_done := backlog.succeeded(self.engine)) < wanted:
            if now_done != done:
                done, moved_at = now_done, time.monotonic()
            if time.monotonic() - moved_at > _PATIENCE:
                raise RuntimeError(f"no job was done for {_PATIENCE:.0f} s, after {done} of {wanted}")
            time.sleep(_LOOK)


def open_ledger(folder: Path, url: str, broker: str, target: str) -> Ledger:
    engine = make_engine(url)
    SCHEMA.upgrade(engine)
    return Ledger(engine, backlog.environment(folder, url, broker, target), broker, folder)


def _arrival(rules: Rules, sample: Sample, at: datetime) -> Arrival:
    headers = {name.lower(): value for name, value in sample.headers.items()}
    hook = PROVIDERS["github"].read(Incoming(headers, sample.body))
    assert isinstance(hook.content, Push)
    return Arrival(
        provider="github", hook=hook, decision=decide(hook.content, rules), headers=headers, body=sample.body, now=at
    )


def _write(writer: Writer, arrivals: Sequence[Arrival], seqs: Sequence[int]) -> None:
    rows = bulk_insert.rows_of(arrivals, seqs)
    logged: list[Row] = []
    listed: list[Row] = []
    for seq, arrival in zip(seqs, arrivals, strict=True):
        push = arrival.hook.content
        assert isinstance(push, Push)
        logged.append(push_history.push_values(seq, push, arrival.now))
        listed += [
            push_history.commit_values(push.repository.key, one, arrival.now) for one in push_history.listed_commits(push)
        ]
    for row in rows.deliveries:
        row.update(to_log=False, jobs=list(row["jobs"]))
    for row in rows.jobs:
        row.update(status=str(row["status"]), trigger=str(row["trigger"]), knock_at=row["next_attempt_at"])
    for table, made in (
        (deliveries, rows.deliveries),
        (payloads, rows.payloads),
        (jobs, rows.jobs),
        (push_table, logged),
        (commits, listed),
    ):
        writer.write(table, iter(made))


def memory_mb(pid: int) -> float:
    """What of a process is in memory (RSS)."""
    for line in Path(f"/proc/{pid}/status").read_text(encoding="ascii").splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) / 1024
    raise RuntimeError(f"process {pid} has no memory")

"""Rows of the ledger for tests: deliveries taken in, jobs claimed and ended, by the ledger's own functions."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Engine

from shared.domain import attempt_end
from shared.domain.job_warnings import JobWarning
from shared.domain.push import Push, Ref, Repository
from shared.domain.rules import Decision, Work
from shared.domain.webhook import Hook
from shared.ledger import claims, deliveries, job_transitions
from shared.ledger.tables import attempts
from shared.ledger.tables import jobs as job_table

NOW = datetime(2026, 5, 4, 12, 0, tzinfo=UTC)


SHA = "a" * 40


ids = itertools.count(1)


def make_push(ref: str = "refs/tags/v1", sha: str = SHA) -> Push:
    return Push(repository=Repository("github", "acme/shop", "main"), ref=Ref(ref), before="0" * 40, after=sha, sha=sha)


def make_work(target: str = "default", version: str = "v1") -> Work:
    return Work(
        rule="r", target=target, version=version, projects=("app",), set_commits="auto", finalize=True, environment=None
    )


def accept(
    engine: Engine,
    *,
    push: Push | None = None,
    work: tuple[Work, ...] = (),
    delivery_id: str | None = None,
    provider: str = "github",
    now: datetime = NOW,
) -> deliveries.Receipt:
    arrival = make_arrival(push or make_push(), work=work, delivery_id=delivery_id, provider=provider, now=now)
    with engine.begin() as connection:
        return deliveries.accept(connection, arrival)


def make_arrival(
    push: Push, *, work: tuple[Work, ...] = (), delivery_id: str | None = None, provider: str = "github", now: datetime = NOW
) -> deliveries.Arrival:
    return deliveries.Arrival(
        provider=provider,
        hook=Hook(event="push", delivery_id=delivery_id or f"d-{next(ids)}", content=push),
        decision=Decision(work=work or (make_work(),)),
        headers={"x-github-event": "push", "x-gitlab-token": "s3cret"},
        body=b'{"a": 1}',
        now=now,
    )


def claim(engine: Engine, job_id: str, now: datetime = NOW) -> claims.Claimed | None:
    with engine.begin() as connection:
        return claims.claim(connection, job_id, now=now)


def succeed(engine: Engine, job: claims.Claimed, now: datetime = NOW, warnings: Sequence[JobWarning] = ()) -> bool:
    ended = attempt_end.succeeded(outcome="created", http_status=201, release_url="u", found=None, warnings=warnings)
    with engine.begin() as connection:
        return job_transitions.end(connection, job.id, job.number, ended, now=now)


def fail(engine: Engine, job: claims.Claimed, now: datetime = NOW) -> bool:
    with engine.begin() as connection:
        ended = attempt_end.failed(reason="target_refused", error="no", http_status=400)
        return job_transitions.end(connection, job.id, job.number, ended, now=now)


def retry_later(engine: Engine, job: claims.Claimed, at: datetime, now: datetime = NOW) -> bool:
    with engine.begin() as connection:
        ended = attempt_end.retried(at=at, reason=None, error="503", http_status=503)
        return job_transitions.end(connection, job.id, job.number, ended, now=now)


def row(engine: Engine, job_id: str) -> Any:
    with engine.begin() as connection:
        return connection.execute(sa.select(job_table).where(job_table.c.id == job_id)).one()


def history(engine: Engine, job_id: str) -> list[tuple[int, str, str | None]]:
    with engine.begin() as connection:
        rows = connection.execute(sa.select(attempts).where(attempts.c.job_id == job_id).order_by(attempts.c.number))
        return [(item.number, item.trigger, item.outcome) for item in rows]


def count(engine: Engine, table: sa.Table) -> int:
    with engine.begin() as connection:
        return int(connection.execute(sa.select(sa.func.count()).select_from(table)).scalar_one())

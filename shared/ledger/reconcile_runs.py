"""The comparisons that people and the timer want: one row a repository, taken by one sweeper at a time.

Takes a connection, never commits. Each verb is one conditional update; one that comes too late changes nothing. A sweeper
that dies leaves a lease that runs out: the next one compares again and goes on with what then is still missing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, cast

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from shared.domain.job_states import Trigger
from shared.domain.push import Repository, tag_push
from shared.domain.reconcile_report import ReconcileReport
from shared.infra.database import upsert
from shared.ledger import job_keys
from shared.ledger.identities import locate, names_of
from shared.ledger.reporting_tables import comparisons
from shared.ledger.rows import ReconcileRow
from shared.ledger.tables import jobs

Entry = tuple[str, str, str]  # tag, commit, target
LEASE = timedelta(minutes=15)  # longer than the calls of a comparison may take together
TRIES = 5  # before a passing fault of the forge or a target ends it
MOST_KEPT = 300  # entries, of the newest tags
_AGAIN = timedelta(seconds=30)  # after the first passing fault; doubled with each


@dataclass(frozen=True, slots=True, kw_only=True)
class Claimed:
    key: str
    run: int
    trigger: Trigger
    most_tags: int | None
    creates: bool
    is_by_timer: bool
    with_deploys: bool


def want(
    connection: Connection,
    repository: Repository,
    *,
    most_tags: int | None,
    creates: bool,
    now: datetime,
    trigger: Trigger | None = None,
    is_by_timer: bool = False,
    with_deploys: bool = False,
    not_since: datetime | None = None,
) -> bool:
    """Ask for a comparison; False while one is under way, or one waits that creates what this one would not.

    `not_since`, for the timer: not if one of its own, or one that created releases, ended after that.
    """
    values = {
        "state": "wanted",
        "trigger": trigger or (Trigger.BACKFILL if most_tags is None else Trigger.RECONCILE),
        "most_tags": most_tags,
        "creates": creates,
        "is_by_timer": is_by_timer,
        "with_deploys": with_deploys,
        "tries": 0,
        "next_at": now,
        "wanted_at": now,
        "ended_at": None,
        "to_create": None,
        "handled": None,
        "queued": None,
        "error": None,
    }
    is_over = comparisons.c.state.in_(("done", "failed"))
    if not_since is None:
        is_dead = sa.and_(comparisons.c.state == "running", comparisons.c.next_at < now)
        condition = sa.or_(is_over, is_dead, sa.and_(comparisons.c.state == "wanted", _covers(most_tags, creates)))
    else:
        counts = sa.or_(comparisons.c.is_by_timer, sa.and_(comparisons.c.creates, comparisons.c.state == "done"))
        condition = sa.and_(is_over, sa.or_(~counts, comparisons.c.ended_at < not_since))
    statement = upsert(connection, comparisons).values(key=repository.key, run=0, **values)
    statement = statement.on_conflict_do_update(index_elements=["key"], set_=values, where=condition)
    return bool(connection.execute(statement.returning(comparisons.c.key)).first())


def _covers(most_tags: int | None, creates: bool) -> sa.ColumnElement[bool]:
    """A waiting run may be replaced by one that does at least as much."""
    as_many = sa.true() if most_tags is None else comparisons.c.most_tags <= most_tags
    return sa.or_(~comparisons.c.creates, as_many if creates else sa.false())


def find_due(connection: Connection, *, now: datetime) -> str | None:
    """The key of the one that has waited longest, or of one whose sweeper vanished."""
    to_do = sa.text("state IN ('wanted', 'running')")  # in the very words of the partial index
    oldest = sa.select(comparisons.c.key).where(to_do, comparisons.c.next_at <= now).order_by(comparisons.c.next_at).limit(1)
    return connection.execute(oldest).scalar_one_or_none()


def claim(connection: Connection, key: str, *, now: datetime) -> Claimed | None:
    """None when another sweeper was faster."""
    columns = ("key", "run", "trigger", "most_tags", "creates", "is_by_timer", "with_deploys")
    row = connection.execute(
        comparisons.update()
        .where(comparisons.c.key == key, comparisons.c.state.in_(("wanted", "running")), comparisons.c.next_at <= now)
        .values(state="running", run=comparisons.c.run + 1, next_at=now + LEASE)
        .returning(*(comparisons.c[name] for name in columns))
    ).one_or_none()
    if row is None:
        return None
    return Claimed(**{**row._mapping, "trigger": Trigger(row.trigger), "with_deploys": bool(row.with_deploys)})


def save(connection: Connection, mine: Claimed, found: ReconcileReport, *, to_create: int, now: datetime) -> bool:
    """What the comparison found."""
    return _write(
        connection,
        mine,
        compared_at=now,
        tags=found.tags,
        missing=len(found.missing),
        to_create=to_create,
        handled=0,
        queued=0,
        entries=[entry.as_json() for entry in found.entries[: -MOST_KEPT - 1 : -1]],
        error=None,
        next_at=now + LEASE,
    )


def advance(connection: Connection, mine: Claimed, *, handled: int, queued: int, now: datetime) -> bool:
    """How far the creating has come; the lease begins anew."""
    return _write(connection, mine, handled=handled, queued=queued, next_at=now + LEASE)


def end(connection: Connection, mine: Claimed, *, error: str | None, now: datetime) -> bool:
    return _write(connection, mine, state="failed" if error else "done", error=error, ended_at=now)


def wait(connection: Connection, mine: Claimed, *, until: datetime, why: str | None) -> bool:
    """A forge's rate limit, or a sweeper that stops: it is taken up again then, and no try is spent."""
    return _write(connection, mine, state="wanted", next_at=until, error=why)


def try_again(connection: Connection, mine: Claimed, *, why: str, now: datetime) -> bool:
    """A passing fault: once more later, some times over; then it has failed."""
    tries = connection.execute(sa.select(comparisons.c.tries).where(comparisons.c.key == mine.key)).scalar_one() + 1
    if tries >= TRIES:
        return end(connection, mine, error=why, now=now)
    return _write(connection, mine, state="wanted", tries=tries, next_at=now + _AGAIN * 2 ** (tries - 1), error=why)


def find(connection: Connection, repository: Repository) -> ReconcileRow | None:
    statement = sa.select(comparisons).where(comparisons.c.key == repository.key)
    return cast(ReconcileRow | None, connection.execute(statement).one_or_none())


def count_missing(connection: Connection, keys: Sequence[str]) -> dict[str, int]:
    """{repository key: releases missing} of those that were compared, without those that were queued since."""
    columns = (comparisons.c.key, comparisons.c.missing, comparisons.c.queued)
    rows = connection.execute(sa.select(*columns).where(comparisons.c.key.in_(keys), comparisons.c.missing.is_not(None)))
    return {row.key: row.missing - (row.queued or 0) for row in rows}


def entries_of(row: ReconcileRow) -> list[dict[str, Any]]:
    """The newest tags first: {"tag", "sha", "target", "version", "why"}, or {"tag", "reason", "detail"} without a release."""
    return row.entries or []


def find_jobs(connection: Connection, repository: Repository, entries: Sequence[dict[str, Any]]) -> dict[Entry, sa.Row[Any]]:
    """{(tag, sha, target): (id, status, reason, key)} of those entries that have a job, as they stand now."""
    repository = locate(connection, repository)
    old_names = names_of(connection, repository).without_number
    entry_of: dict[str, Entry] = {}
    for one in entries:
        if "sha" in one:
            push = tag_push(repository, one["tag"], one["sha"])
            keys = (*job_keys.name_keys(one["target"], push, old_names), job_keys.key_of(one["target"], push))
            entry_of |= dict.fromkeys(keys, (one["tag"], one["sha"], one["target"]))
    statement = sa.select(jobs.c.key, jobs.c.id, jobs.c.status, jobs.c.reason).where(jobs.c.key.in_(list(entry_of)))
    found: list[sa.Row[Any]] = list(connection.execute(statement))
    return {entry_of[row.key]: row for row in found}


def _write(connection: Connection, mine: Claimed, **values: Any) -> bool:
    statement = comparisons.update().where(
        comparisons.c.key == mine.key, comparisons.c.run == mine.run, comparisons.c.state == "running"
    )
    return connection.execute(statement.values(**values)).rowcount == 1

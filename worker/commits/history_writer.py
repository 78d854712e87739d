"""Takes stored pushes into the commit log in short transactions: on SQLite every other writer waits while one is open."""

from __future__ import annotations

import contextlib
import itertools
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime

from sqlalchemy.engine import Connection, Engine
from sqlalchemy.exc import SQLAlchemyError

from shared.domain.identity import patterns_left_behind
from shared.domain.push import Repository
from shared.domain.rules import NO_RULES, Rules
from shared.errors import Rejected
from shared.forges.reading import read_stored_push
from shared.infra import logs
from shared.infra.database import reading
from shared.ledger import identities, partial_jobs, pending_pushes, push_history
from shared.ledger.pending_pushes import PendingDelivery, PendingPush
from shared.ledger.push_history import MOST_COMMITS, listed_commits

logger = logs.get(__name__)

_MOST_BYTES = 4 * 1024 * 1024  # of bodies that a step holds in memory


def log_step(engine: Engine, *, provider: str, repository: str, rules: Rules = NO_RULES) -> int:
    """Log the next pushes of this repository; how many were handled, 0 when none waits. Two at once do the work twice.

    `rules`, here and below: those in force, which say whose secrets speak for which repositories.
    """
    with reading(engine).begin() as connection:
        if not pending_pushes.is_any_waiting(connection, provider=provider, repository=repository):
            return 0
        waiting = pending_pushes.find(connection, provider=provider, repository=repository)
        together = itertools.accumulate(size for _, size in waiting)
        count = max(1, sum(1 for size in together if size <= _MOST_BYTES))
        found = pending_pushes.read(connection, [seq for seq, _ in waiting[:count]])
    for portion in _portions([_read(provider, delivery) for delivery in found]):
        _write(engine, portion, rules)
    return len(found)


def log_few(connection: Connection, *, provider: str, repository: str, rules: Rules = NO_RULES) -> None:
    """Log the pushes that wait if they are few and small, within the caller's transaction; `log_all` takes the rest.

    A fault here is none of the caller's: `log_all` meets it again.
    """
    try:
        with connection.begin_nested():
            if few := pending_pushes.read_few(connection, provider=provider, repository=repository):
                _log(connection, [_settled(connection, _read(provider, delivery), rules) for delivery in few])
    except SQLAlchemyError as problem:
        logger.warning("commits.unlogged", error=type(problem).__name__)


def log_all(engine: Engine, *, provider: str, repository: str, seconds: float, rules: Rules = NO_RULES) -> bool:
    """Log every push of this repository that waits; False where that takes longer, as after a mirror's push."""
    end = time.monotonic() + seconds
    while log_step(engine, provider=provider, repository=repository, rules=rules):
        if time.monotonic() > end:
            return False
    return True


def _read(provider: str, delivery: PendingDelivery) -> PendingPush:
    push = None
    if delivery.headers is not None and delivery.body is not None:
        # It was read once when it came: only an older program's payload can be refused here.
        with contextlib.suppress(Rejected):
            push = read_stored_push(provider, delivery.headers, delivery.body)
    return PendingPush(delivery.seq, delivery.at, push, () if push is None else tuple(listed_commits(push)))


def _settled(connection: Connection, entry: PendingPush, rules: Rules) -> PendingPush:
    """The same once it is known whose push it is."""
    if entry.push is None:
        return entry
    repository = _settle(connection, entry.push.repository, entry.at, rules)
    return entry._replace(push=replace(entry.push, repository=repository))


def _settle(connection: Connection, named: Repository, at: datetime, rules: Rules) -> Repository:
    """Whose push it is; a new name is written down."""
    repository, former = identities.settle(connection, named, at, rules.sources)
    if former is not None:
        left = patterns_left_behind(rules, repository.provider, [former], repository.full_name)
        tell = logger.warning if left else logger.info
        tell("repository.renamed", repository=repository.key, was=former, left_behind=left)
    return repository


def _write(engine: Engine, portion: Sequence[PendingPush], rules: Rules) -> None:
    """The push comes last: a chain of pushes must find all their commits."""
    ready = []
    for entry in portion:
        rest = entry.commits
        while entry.push is not None and len(rest) > MOST_COMMITS:
            with engine.begin() as connection:
                repository = _settle(connection, entry.push.repository, entry.at, rules)
                push_history.save_commits(connection, repository.log_key, rest[:MOST_COMMITS], entry.at)
            rest = rest[MOST_COMMITS:]
        ready.append(entry._replace(commits=rest))
    with engine.begin() as connection:
        _log(connection, [_settled(connection, entry, rules) for entry in ready])


def _log(connection: Connection, entries: Sequence[PendingPush]) -> None:
    """Write these pushes. A tag's release may have gone out before the push of its branch arrived, and is completed by it."""
    pending_pushes.write(connection, entries)
    heads: dict[str, tuple[Repository, set[str]]] = {}
    for push in (entry.push for entry in entries if entry.push is not None):
        if push.ref.kind == "branch" and push.sha is not None and push.commits:
            heads.setdefault(push.repository.log_key, (push.repository, set()))[1].add(push.sha)
    for repository, shas in heads.values():
        partial_jobs.complete_reached(connection, repository, shas, now=datetime.now(UTC))


def _portions(entries: Sequence[PendingPush]) -> Iterator[list[PendingPush]]:
    """Neighbours with at most MOST_COMMITS commits together; a larger one alone."""
    portion: list[PendingPush] = []
    held = 0
    for entry in entries:
        size = len(entry.commits)
        if portion and held + size > MOST_COMMITS:
            yield portion
            portion, held = [], 0
        portion.append(entry)
        held += size
    if portion:
        yield portion

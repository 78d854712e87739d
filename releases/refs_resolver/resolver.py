"""Turns refs into commits after the request was answered, from what earlier releases brought. Never blocks a request."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from threading import Lock
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Engine, RowMapping

from releases.refs_resolver.ranges import Stored, Unknown, find_range
from releases.store import releases as release_store
from releases.tables.releases import (
    commits,
    release_authors,
    release_commits,
    release_heads,
    release_ranges,
    releases,
    repositories,
)
from shared.infra import logs
from shared.infra.database import reading

_MOST_LISTS = 200  # earlier releases looked into for one range
_MOST_WAITING = 20  # other releases that new commits of a repository may complete
_TRIES = 3


class Finder:
    """One thread per server process; what it did not get to is done at the next start."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="refs")
        self._lock = Lock()
        self._asked: set[int] = set()

    def ask(self, release_id: int) -> None:
        """A release's refs or commits were stored: look for its commits, and for those that waited for its."""
        with self._lock:
            if release_id in self._asked:
                return
            self._asked.add(release_id)
        self._pool.submit(self._work, release_id)

    def resume(self) -> None:
        """Ask for what was never tried."""
        query = sa.select(release_ranges.c.release_id).where(release_ranges.c.note.is_(None)).distinct().limit(1_000)
        with reading(self._engine).begin() as connection:
            waiting = connection.execute(query).scalars().all()
        for release_id in waiting:
            self.ask(release_id)

    def stop(self) -> None:
        self._pool.shutdown(wait=True, cancel_futures=True)

    def wait(self) -> None:
        """Until everything asked for so far is done."""
        self._pool.submit(lambda: None).result()

    def _work(self, release_id: int) -> None:
        with self._lock:
            self._asked.discard(release_id)
        try:
            with reading(self._engine).begin() as connection:
                waiting = _concerned(connection, release_id)
            for one in waiting:
                self._resolve(one)
        except Exception:
            logs.get(__name__).exception("releases.refs_failed", release_id=release_id)

    def _resolve(self, release_id: int) -> None:
        for left in range(_TRIES - 1, -1, -1):
            try:
                with self._engine.begin() as connection:
                    resolve(connection, release_id, datetime.now(UTC))
                return
            except sa.exc.OperationalError:
                if not left:
                    raise


def _concerned(connection: Connection, release_id: int) -> Sequence[int]:
    """The release itself, and those that wait for commits of a repository it has commits of."""
    brought = sa.select(release_heads.c.repository_id).where(release_heads.c.release_id == release_id)
    waiting = (
        sa.select(release_ranges.c.release_id)
        .where(release_ranges.c.repository_id.in_(brought), release_ranges.c.release_id != release_id)
        .distinct()
        .order_by(release_ranges.c.release_id.desc())
        .limit(_MOST_WAITING)
    )
    return [release_id, *connection.execute(waiting).scalars()]


def resolve(connection: Connection, release_id: int, now: datetime) -> bool:
    """Whether the release has its commits now. All of its ranges must be known, else it says which is not."""
    row = connection.execute(sa.select(releases).where(releases.c.id == release_id).with_for_update()).mappings().one_or_none()
    ranges = _waiting_ranges(connection, release_id)
    if row is None or not ranges:
        return False
    found: list[Stored] = []
    for one in ranges:
        result = find_range(_lists(connection, one), one["start_key"], one["end_key"])
        if isinstance(result, Unknown):
            _note(connection, row, one, result.note)
            return False
        found += result.commits
    _set_commits(connection, release_id, found)
    logs.get(__name__).info("releases.refs_resolved", version=row["version"], commits=len(found))
    return True


def _waiting_ranges(connection: Connection, release_id: int) -> Sequence[RowMapping]:
    query = (
        sa.select(release_ranges, repositories.c.name)
        .join(repositories, repositories.c.id == release_ranges.c.repository_id)
        .where(release_ranges.c.release_id == release_id)
        .order_by(release_ranges.c.position)
    )
    return connection.execute(query).mappings().all()


def _note(connection: Connection, row: RowMapping, one: RowMapping, note: str) -> None:
    text = f"{one['name']}: {note}"
    if one["note"] == text:
        return
    condition = sa.and_(release_ranges.c.release_id == row["id"], release_ranges.c.repository_id == one["repository_id"])
    connection.execute(sa.update(release_ranges).where(condition).values(note=text))
    logs.get(__name__).info("releases.refs_waiting", version=row["version"], reason=text)


def _lists(connection: Connection, one: RowMapping) -> Iterator[list[Stored]]:
    """Lists of the repository's commits: first the newest release that holds the end, then what came before it."""
    at = connection.execute(_holding(one["repository_id"], one["end_key"], one["release_id"])).scalar_one_or_none()
    if at is None:
        return
    yield _list(connection, at, one["repository_id"])
    previous = (
        sa.select(release_heads.c.release_id)
        .where(
            release_heads.c.repository_id == one["repository_id"],
            release_heads.c.release_id < at,
            release_heads.c.release_id != one["release_id"],
        )
        .order_by(release_heads.c.release_id.desc())
        .limit(_MOST_LISTS)
    )
    for release_id in connection.execute(previous).scalars().all():
        yield _list(connection, release_id, one["repository_id"])


def _holding(repository_id: int, key: str, not_in: int) -> sa.Select[Any]:
    return (
        sa.select(release_commits.c.release_id)
        .join(commits, commits.c.id == release_commits.c.commit_id)
        .where(commits.c.repository_id == repository_id, commits.c.key == key, release_commits.c.release_id != not_in)
        .order_by(release_commits.c.release_id.desc())
        .limit(1)
    )


def _list(connection: Connection, release_id: int, repository_id: int) -> list[Stored]:
    query = (
        sa.select(commits.c.id, commits.c.key)
        .join(release_commits, release_commits.c.commit_id == commits.c.id)
        .where(release_commits.c.release_id == release_id, commits.c.repository_id == repository_id)
        .order_by(release_commits.c.position)
    )
    return [Stored(row.id, row.key) for row in connection.execute(query)]


def _set_commits(connection: Connection, release_id: int, found: Sequence[Stored]) -> None:
    for table in (release_commits, release_authors, release_ranges):
        connection.execute(sa.delete(table).where(table.c.release_id == release_id))
    links = [{"release_id": release_id, "position": n, "commit_id": commit.id} for n, commit in enumerate(found)]
    if links:
        connection.execute(sa.insert(release_commits), links)
    people = (
        sa.select(commits.c.author_id)
        .join(release_commits, release_commits.c.commit_id == commits.c.id)
        .where(release_commits.c.release_id == release_id, commits.c.author_id.is_not(None))
        .order_by(release_commits.c.position)
    )
    distinct = dict.fromkeys(connection.execute(people).scalars())
    if distinct:
        rows = [{"release_id": release_id, "position": n, "author_id": author} for n, author in enumerate(distinct)]
        connection.execute(sa.insert(release_authors), rows)
    release_store.change(connection, release_id, {"commit_count": len(found), "last_commit_id": found[0].id if found else None})

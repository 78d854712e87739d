"""What is known of each repository that ever pushed: its rhythm, its last release, and when its silence is unusual."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from statistics import median
from typing import Any, cast

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from shared.domain.push import Repository
from shared.domain.rules import Source
from shared.infra.database import upsert
from shared.ledger.identities import locate, settle
from shared.ledger.reporting_tables import known_repositories
from shared.ledger.rows import RepositoryRow

REMEMBERED = 20  # pushes, whose gaps are the rhythm
FEWEST = 5  # pushes before a rhythm is believed
LONGEST_USUAL = timedelta(days=3)  # a weekend is never unusual
_LATEST = datetime.max.replace(tzinfo=UTC)
GAPS = 4  # silence of so many usual gaps is unusual


def usual_gap(pushes: Sequence[float]) -> timedelta | None:
    """The median time between pushes (epoch seconds, oldest first), None while there are too few to tell."""
    if len(pushes) < FEWEST:
        return None
    gaps = [later - earlier for earlier, later in pairwise(pushes)]
    return timedelta(seconds=median(gaps))


def silent_at(pushes: Sequence[float]) -> datetime | None:
    """From when on silence is unusual."""
    gap = usual_gap(pushes)
    if gap is None:
        return None
    return datetime.fromtimestamp(pushes[-1], UTC) + max(LONGEST_USUAL, gap * GAPS)


def note(
    connection: Connection,
    pushes: Mapping[Repository, Sequence[datetime]],
    releases: Mapping[Repository, tuple[datetime, str]],
    sources: Sequence[Source] = (),
) -> None:
    """Add pushes and newest releases to what is known. A push that is not in the log yet may be the first of its repository."""
    found: dict[str, tuple[Repository, list[datetime], list[tuple[datetime, str]]]] = {}
    for repository in sorted({*pushes, *releases}, key=lambda each: (max(pushes.get(each, ()), default=_LATEST), each.key)):
        came = pushes.get(repository, ())
        its = settle(connection, repository, max(came), sources).repository if came else locate(connection, repository, sources)
        _, all_came, released = found.setdefault(its.log_key, (its, [], []))
        all_came += came
        released += [releases[repository]] if repository in releases else []
    statement = sa.select(known_repositories).where(known_repositories.c.key.in_(list(found)))
    known = {row.key: row for row in connection.execute(statement)}
    for key, (its, all_came, released) in found.items():
        _save(connection, its, _merged(known.get(key), all_came, max(released, default=None)))


def _merged(known: sa.Row[Any] | None, pushes: Sequence[datetime], release: tuple[datetime, str] | None) -> dict[str, Any]:
    times = sorted([*(known.pushes if known else []), *(at.timestamp() for at in pushes)])[-REMEMBERED:]
    values: dict[str, Any] = {"pushes": times, "silent_at": silent_at(times)}
    if times:
        values["last_push_at"] = datetime.fromtimestamp(times[-1], UTC)
    if release is not None:
        values |= {"last_release_at": release[0], "last_version": release[1]}
    return values


def _save(connection: Connection, found: Repository, values: dict[str, Any]) -> None:
    named = {"key": found.log_key, "provider": found.provider, "repository": found.full_name}
    statement = upsert(connection, known_repositories).values(**named, **values)
    connection.execute(statement.on_conflict_do_update(index_elements=["key"], set_=values))


def list_known(connection: Connection, *, after: str, limit: int) -> list[RepositoryRow]:
    """By name."""
    statement = sa.select(known_repositories).where(known_repositories.c.key > after)
    return cast("list[RepositoryRow]", connection.execute(statement.order_by(known_repositories.c.key).limit(limit)).all())


def find(connection: Connection, key: str) -> RepositoryRow | None:
    """What is known of the repository whose rows refer to `key`."""
    statement = sa.select(known_repositories).where(known_repositories.c.key == key)
    return cast(RepositoryRow | None, connection.execute(statement).one_or_none())


def list_renamed(connection: Connection, limit: int = 1_000) -> list[RepositoryRow]:
    """Those that were called something else before, by their names."""
    statement = sa.select(known_repositories).where(known_repositories.c.former_names.is_not(None))
    return cast(
        "list[RepositoryRow]", connection.execute(statement.order_by(known_repositories.c.repository).limit(limit)).all()
    )


def list_silent(connection: Connection, *, now: datetime, limit: int) -> list[RepositoryRow]:
    """Those whose silence is unusual, the latest first."""
    column = known_repositories.c.silent_at
    statement = sa.select(known_repositories).where(column < now).order_by(column.desc()).limit(limit)
    return cast("list[RepositoryRow]", connection.execute(statement).all())

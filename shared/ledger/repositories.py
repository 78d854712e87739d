"""What is known of each repository that ever pushed: its rhythm, its last release, and when its silence is unusual."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from statistics import median
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from shared.infra.database import upsert
from shared.ledger.reporting_tables import known_repositories

REMEMBERED = 20  # pushes, whose gaps are the rhythm
FEWEST = 5  # pushes before a rhythm is believed
LONGEST_USUAL = timedelta(days=3)  # a weekend is never unusual
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
    connection: Connection, pushes: Mapping[str, Sequence[datetime]], releases: Mapping[str, tuple[datetime, str]]
) -> None:
    """Add pushes and newest releases, by repository key, to what is known."""
    keys = sorted({*pushes, *releases})
    known = {
        row.key: row for row in connection.execute(sa.select(known_repositories).where(known_repositories.c.key.in_(keys)))
    }
    for key in keys:
        _save(connection, key, _merged(known.get(key), pushes.get(key, ()), releases.get(key)))


def _merged(known: sa.Row[Any] | None, pushes: Sequence[datetime], release: tuple[datetime, str] | None) -> dict[str, Any]:
    times = sorted([*(known.pushes if known else []), *(at.timestamp() for at in pushes)])[-REMEMBERED:]
    values: dict[str, Any] = {"pushes": times, "silent_at": silent_at(times)}
    if times:
        values["last_push_at"] = datetime.fromtimestamp(times[-1], UTC)
    if release is not None:
        values |= {"last_release_at": release[0], "last_version": release[1]}
    return values


def _save(connection: Connection, key: str, values: dict[str, Any]) -> None:
    provider, _, repository = key.partition(":")
    statement = upsert(connection, known_repositories).values(key=key, provider=provider, repository=repository, **values)
    connection.execute(statement.on_conflict_do_update(index_elements=["key"], set_=values))


def list_known(connection: Connection, *, after: str, limit: int) -> list[sa.Row[Any]]:
    """By name."""
    statement = sa.select(known_repositories).where(known_repositories.c.key > after)
    return list(connection.execute(statement.order_by(known_repositories.c.key).limit(limit)))


def find(connection: Connection, key: str) -> sa.Row[Any] | None:
    return connection.execute(sa.select(known_repositories).where(known_repositories.c.key == key)).one_or_none()


def list_silent(connection: Connection, *, now: datetime, limit: int) -> list[sa.Row[Any]]:
    """Those whose silence is unusual, the latest first."""
    column = known_repositories.c.silent_at
    return list(connection.execute(sa.select(known_repositories).where(column < now).order_by(column.desc()).limit(limit)))

"""Which known repository a push or a job is about, and what it is called (`shared/domain/identity.py` decides).

Takes a connection, never commits.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, NamedTuple

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from shared.domain.identity import (
    FormerName,
    Identity,
    Known,
    OwnRows,
    fresh_key,
    identify,
    own_rows,
    owns_old_rows,
    renamed,
)
from shared.domain.push import Repository
from shared.domain.rules import Source
from shared.infra.database import upsert
from shared.ledger.reporting_tables import comparisons, known_repositories
from shared.ledger.tables import commits, contributions, pushes

_LONG_AGO = datetime(1970, 1, 1, tzinfo=UTC)
_ROW = [known_repositories.c[name] for name in ("key", "repository", "repository_id", "named_at", "former_names")]
_MAY_BE = sa.select(*_ROW).where(
    known_repositories.c.provider == sa.bindparam("provider"),
    sa.or_(
        sa.func.lower(known_repositories.c.repository) == sa.bindparam("name"),
        known_repositories.c.repository_id == sa.bindparam("id", type_=sa.BigInteger),
        known_repositories.c.key == sa.bindparam("key"),
    ),
)


class Settled(NamedTuple):
    """`former`: what the repository was called until this push, where that has changed."""

    repository: Repository
    former: str | None = None


class Names(NamedTuple):
    """All that a repository was ever called; `without_number`: where rows that have only a name are its own."""

    every: tuple[str, ...]
    without_number: tuple[str, ...]


def locate(connection: Connection, repository: Repository, sources: Sequence[Source] = ()) -> Repository:
    """The repository with its `row_key`, its newest name, and its number where only its name was given. Writes nothing."""
    return locate_with_names(connection, repository, sources)[0]


def canonical(connection: Connection, repository: Repository) -> Repository:
    """The repository that somebody names, as webhooks spell it."""
    located = locate(connection, repository)
    return replace(located, full_name=located.forge_name)


def names_of(connection: Connection, repository: Repository, sources: Sequence[Source] = ()) -> Names:
    """Under which names the ledger may have rows of this repository."""
    return locate_with_names(connection, repository, sources)[1]


def locate_with_names(
    connection: Connection, repository: Repository, sources: Sequence[Source] = (), *, at: datetime = _LONG_AGO
) -> tuple[Repository, Names]:
    """What `locate` and `names_of` say, for one query. `at`: when the push came that names it so, if it may not be settled."""
    known = _read(connection, repository)
    row, _, is_news, _ = identify(repository, known, at, sources)
    names = tuple(dict.fromkeys((repository.full_name, *(row.names if row else ()))))
    own = names if owns_old_rows(repository, row, known) else ()
    if row is not None and is_news:
        row = row._replace(name=repository.full_name)
    return _located(repository, row, known), Names(names, without_number=own)


def find_own_rows(connection: Connection, provider: str | None, name: str) -> OwnRows:
    """Which rows a filter means by a repository's name, of one provider or of all."""
    of_provider = [known_repositories.c.provider == provider] if provider is not None else []
    query = sa.select(known_repositories.c.provider, *_ROW).where(*of_provider)
    # Former names cannot be looked up by an index; renamed repositories are few.
    known: dict[str, dict[str, Known]] = {}
    names = {name.lower()}
    for condition in (known_repositories.c.former_names.is_not(None), _is_called(names), None):
        if condition is None:  # others that are called what it was called before
            names = {each.lower() for rows in known.values() for row in rows.values() if row.had(names) for each in row.names}
            condition = _is_called(names)
        for row in connection.execute(query.where(condition)):
            known.setdefault(row.provider, {})[row.key] = known_of(row)
    by_provider = [list(rows.values()) for rows in known.values()]
    own = [own_rows(name, rows) for rows in by_provider if any(row.had({name.lower()}) for row in rows)]
    every = tuple(dict.fromkeys((name, *(each for one in own for each in one.names))))
    numbers = [one.numbers for one in own if one.numbers is not None]
    return OwnRows(every, frozenset().union(*numbers) if own and len(numbers) == len(own) else None)


def _is_called(names: Collection[str]) -> sa.ColumnElement[bool]:
    return sa.func.lower(known_repositories.c.repository).in_(names)


def settle(connection: Connection, repository: Repository, at: datetime, sources: Sequence[Source] = ()) -> Settled:
    """The same as `locate`, for a push that came `at` that time: what it says about the repository is written down."""
    known = _read(connection, repository)
    found = identify(repository, known, at, sources)
    if repository.id is None or (found.row is not None and not found.is_news):
        return Settled(_located(repository, found.row, known))
    if connection.dialect.name == "postgresql":  # a new name is rare: one at a time, and look again
        connection.execute(sa.select(sa.func.pg_advisory_xact_lock(sa.func.hashtext("known_repositories"))))
        known = _read(connection, repository)
        found = identify(repository, known, at, sources)
    row = found.row
    if row is None:
        row = Known(fresh_key(repository, known), repository.full_name, repository.id, at)
        _insert(connection, repository.provider, row)
        return Settled(_located(repository, row, known))
    return _write(connection, repository, at, found, row)


def _write(connection: Connection, repository: Repository, at: datetime, found: Identity, row: Known) -> Settled:
    for twin in found.twins:
        _merge(connection, twin.key, row.key)
    if found.is_news:
        row = renamed(row, repository.full_name, at, found.twins)
        values = {
            "repository": row.name,
            "repository_id": repository.id,
            "named_at": at,
            "former_names": [[former.name, former.until.isoformat()] for former in row.former] or None,
        }
        connection.execute(known_repositories.update().where(known_repositories.c.key == row.key).values(values))
    former = found.row.name if found.row is not None and found.row.name != row.name else None
    return Settled(_located(repository, row, ()), former)


def _read(connection: Connection, repository: Repository) -> list[Known]:
    asked = {
        "provider": repository.provider,
        "name": repository.full_name.lower(),
        "id": repository.id,
        "key": repository.key,
    }
    return [known_of(row) for row in connection.execute(_MAY_BE, asked)]


def known_of(row: Any) -> Known:
    """A row of `known_repositories` as a value."""
    former = tuple(FormerName(name, datetime.fromisoformat(until)) for name, until in row.former_names or ())
    return Known(row.key, row.repository, row.repository_id, row.named_at, former)


def _located(repository: Repository, row: Known | None, known: Sequence[Known]) -> Repository:
    if row is None:
        return replace(repository, row_key=fresh_key(repository, known))
    return replace(repository, id=repository.id or row.id, row_key=row.key, known_as=row.name)


def _insert(connection: Connection, provider: str, row: Known) -> None:
    values = {"provider": provider, "repository": row.name, "repository_id": row.id, "named_at": row.named_at}
    statement = upsert(connection, known_repositories).values(key=row.key, pushes=[], **values)
    connection.execute(statement.on_conflict_do_update(index_elements=["key"], set_=values))


def _merge(connection: Connection, part: str, whole: str) -> None:
    """Give all rows of one spelling of a name to the other; where both have one, the whole's stays."""
    for table, columns in ((commits, ("id",)), (contributions, ("target", "version"))):
        mine = table.alias()
        same = [mine.c[name] == table.c[name] for name in columns]
        is_there = sa.exists().where(mine.c.repository_key == whole, *same)
        connection.execute(table.delete().where(table.c.repository_key == part, is_there))
    for table in (pushes, commits, contributions):
        connection.execute(table.update().where(table.c.repository_key == part).values(repository_key=whole))
    for table in (comparisons, known_repositories):
        connection.execute(table.delete().where(table.c.key == part))

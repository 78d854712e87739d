"""Finds jobs, deliveries and repositories by what people have at hand: a version, a tag, a branch, a commit.

Each question is a step along one index and gives at most `limit` keys. Texts are compared by their bytes: only in that order do
those that begin alike stand together, whatever the language of the database. Takes a connection, never commits.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

import sqlalchemy as sa
from sqlalchemy.engine import Connection
from sqlalchemy.sql.elements import UnaryExpression
from sqlalchemy.sql.operators import custom_op

from shared.ledger.queries.lookup import begins
from shared.ledger.reporting_tables import known_repositories
from shared.ledger.rows import ListedDelivery, ListedJob, RepositoryRow
from shared.ledger.tables import INDEXED_REF, deliveries, jobs, pushes

_LOOSE = sa.text("jobs.delivery_seq IS NULL")  # in the very words of the partial indexes
_LISTED_JOB = [jobs.c[name] for name in ListedJob.__annotations__]
_LISTED_DELIVERY = [deliveries.c[name] for name in ListedDelivery.__annotations__]


def jobs_of_version(connection: Connection, words: str, *, is_whole: bool, limit: int) -> list[str]:
    """Ids, the newest first; of versions that only begin so, those of the lowest versions."""
    return _along(connection, jobs.c.version, words, jobs.c.id, is_whole=is_whole, limit=limit)


def deliveries_of_ref(connection: Connection, ref: str, *, is_whole: bool, limit: int) -> list[int]:
    """Numbers of deliveries of a whole ref name (refs/tags/v1), the newest first, or of those that begin so."""
    indexed: sa.ColumnElement[str] = sa.literal_column(f"substr(deliveries.ref, 1, {INDEXED_REF})", sa.Text)
    exact = [deliveries.c.ref == ref] if len(ref) > INDEXED_REF else []
    return _along(connection, indexed, ref[:INDEXED_REF], deliveries.c.seq, *exact, is_whole=is_whole, limit=limit)


def loose_jobs_of_ref(connection: Connection, ref: str, *, is_whole: bool, limit: int) -> list[str]:
    """The same for jobs without a delivery: of reconcile and backfill, and those whose delivery has expired."""
    indexed: sa.ColumnElement[str] = sa.literal_column(f"substr(jobs.ref, 1, {INDEXED_REF})", sa.Text)
    return _along(connection, indexed, ref[:INDEXED_REF], jobs.c.id, _LOOSE, is_whole=is_whole, limit=limit)


def deliveries_of_commit(connection: Connection, sha: str, *, limit: int) -> list[int]:
    """Numbers of the deliveries whose pushed head begins so; of those that the sweeper has logged, which takes seconds."""
    return _of_commit(connection, pushes.c.sha, pushes.c.seq, sha, limit=limit)


def loose_jobs_of_commit(connection: Connection, sha: str, *, limit: int) -> list[str]:
    return _of_commit(connection, jobs.c.sha, jobs.c.id, sha, _LOOSE, limit=limit)


def repositories(connection: Connection, name: str, *, is_whole: bool, limit: int) -> list[RepositoryRow]:
    """Known repositories by their full name, without case."""
    indexed = sa.func.lower(known_repositories.c.repository)
    keys = _along(connection, indexed, name.lower(), known_repositories.c.key, is_whole=is_whole, limit=limit)
    statement = sa.select(known_repositories).where(known_repositories.c.key.in_(keys)).order_by(known_repositories.c.key)
    return cast("list[RepositoryRow]", connection.execute(statement).all()) if keys else []


def list_jobs(connection: Connection, ids: Sequence[str]) -> list[ListedJob]:
    """The newest first."""
    statement = sa.select(*_LISTED_JOB).where(jobs.c.id.in_(ids)).order_by(jobs.c.id.desc())
    return cast("list[ListedJob]", connection.execute(statement).all()) if ids else []


def list_deliveries(connection: Connection, seqs: Sequence[int]) -> list[ListedDelivery]:
    """The newest first."""
    statement = sa.select(*_LISTED_DELIVERY).where(deliveries.c.seq.in_(seqs)).order_by(deliveries.c.seq.desc())
    return cast("list[ListedDelivery]", connection.execute(statement).all()) if seqs else []


def newest_refusal(connection: Connection) -> ListedDelivery | None:
    refused = sa.text("status = 'refused'")  # as its partial index has it
    statement = sa.select(*_LISTED_DELIVERY).where(refused).order_by(deliveries.c.seq.desc()).limit(1)
    return cast("ListedDelivery | None", connection.execute(statement).one_or_none())


def _along(
    connection: Connection,
    indexed: sa.ColumnElement[str],
    words: str,
    key: sa.Column[Any],
    *others: sa.ColumnElement[bool] | sa.TextClause,
    is_whole: bool,
    limit: int,
) -> list[Any]:
    """Keys along an index over (`indexed`, key). The order is the index's own, which keeps PostgreSQL from walking the key."""
    bounds = begins(connection, indexed, words)
    order = indexed.desc() if is_whole else indexed.asc()
    if connection.dialect.name == "postgresql":
        order = UnaryExpression(indexed, modifier=custom_op("USING ~>~" if is_whole else "USING ~<~"))
        bounds += [indexed.op("~<=~", is_comparison=True)(words)] if is_whole else []
    elif is_whole:
        bounds = [indexed == words]
    last = key.desc() if is_whole else key.asc()
    # SQLite would sort them all for an expression that it does not see to be constant.
    orders = (last,) if is_whole and connection.dialect.name == "sqlite" else (order, last)
    statement = sa.select(key).where(*bounds, *others).order_by(*orders).limit(limit)
    return list(connection.execute(statement).scalars())


def _of_commit(
    connection: Connection,
    column: sa.Column[Any],
    key: sa.Column[Any],
    sha: str,
    *others: sa.ColumnElement[bool] | sa.TextClause,
    limit: int,
) -> list[Any]:
    """Hexadecimal digits sort before z in any collation. In no order: one that its index does not have would sort them all."""
    conditions = (column >= sha, column < sha + "z", sa.func.substr(column, 1, len(sha)) == sha, *others)
    return list(connection.execute(sa.select(key).where(*conditions).limit(limit)).scalars())

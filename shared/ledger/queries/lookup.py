"""Finds jobs and deliveries by their ids, and what a filter asks of jobs. Takes a connection, never commits."""

from __future__ import annotations

from typing import Any, cast

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from shared.domain.filters import JobFilter
from shared.domain.ids import first_id
from shared.domain.names import is_storable
from shared.errors import NotFound
from shared.infra.json_codec import write_json
from shared.ledger.identities import find_own_rows
from shared.ledger.rows import AttemptRow, DeliveryRow, JobRow
from shared.ledger.tables import attempts, deliveries, jobs, payloads

SHORTEST_BEGINNING = 4  # characters of an id
MOST_FITTING = 5
_WHOLE = sa.select(deliveries, payloads.c.headers, payloads.c.body).join_from(
    deliveries, payloads, payloads.c.delivery_seq == deliveries.c.seq, isouter=True
)


Word = tuple[sa.Column[Any], Any]


def job_words(connection: Connection, wanted: JobFilter) -> list[Word]:
    """The columns and values that the filter's words ask for; `since` is not among them."""
    words: list[Word] = [
        (jobs.c.status, wanted.status),
        (jobs.c.provider, wanted.provider),
        *repository_words(connection, jobs, wanted.provider, wanted.repository),
        (jobs.c.target, wanted.target),
        (jobs.c.reason, wanted.reason),
        (jobs.c.warnings, wanted.warning),
    ]
    return [(column, value) for column, value in words if value is not None]


def repository_words(connection: Connection, table: sa.Table, provider: str | None, name: str | None) -> list[Word]:
    """The names that the repository's rows have and, where others had one of them too, its numbers."""
    if name is None:
        return []
    own = find_own_rows(connection, provider, name)
    return [(table.c.repository, own.names), (table.c.repository_id, own.numbers)]


def holds(column: sa.ColumnElement[Any], value: object) -> sa.ColumnElement[bool]:
    """That the column has this word, or one of several. Warnings are a list of objects: a quote inside a text is escaped, so
    no detail can pass for a code."""
    if isinstance(column.type, sa.JSON):
        return sa.cast(column, sa.Text).contains(write_json({"code": value})[:-1], autoescape=True)
    if isinstance(value, tuple | frozenset):
        one_of = column.in_([each for each in value if each is not None])
        return sa.or_(one_of, column.is_(None)) if None in value else one_of
    return column == value


def job_conditions(connection: Connection, wanted: JobFilter) -> list[sa.ColumnElement[bool]]:
    conditions = [holds(column, value) for column, value in job_words(connection, wanted)]
    if wanted.since is not None:  # ids sort by time, so this is a range of the key
        conditions.append(jobs.c.id >= first_id(wanted.since))
    return conditions


def find_jobs(connection: Connection, ids: list[str]) -> list[JobRow]:
    return cast("list[JobRow]", connection.execute(sa.select(jobs).where(jobs.c.id.in_(ids)).order_by(jobs.c.id)).all())


def find_job(connection: Connection, job_id: str) -> JobRow:
    """Raises NotFound."""
    statement = sa.select(jobs).where(jobs.c.id == job_id)
    row = connection.execute(statement).one_or_none() if is_storable(job_id) else None
    if row is None:
        raise NotFound("no job with this ID")
    return cast(JobRow, row)


def job_ids(connection: Connection, beginning: str) -> list[str]:
    """The ids that begin so, up to MOST_FITTING; none for a beginning too short to mean one job."""
    if len(beginning) < SHORTEST_BEGINNING or not is_storable(beginning):
        return []
    # The digits of an id sort before z in any collation.
    conditions = (
        jobs.c.id >= beginning,
        jobs.c.id < beginning + "z",
        sa.func.substr(jobs.c.id, 1, len(beginning)) == beginning,
    )
    return list(connection.execute(sa.select(jobs.c.id).where(*conditions).order_by(jobs.c.id).limit(MOST_FITTING)).scalars())


def delivery_ids(connection: Connection, beginning: str, provider: str | None = None) -> list[str]:
    """The ids that begin so, up to MOST_FITTING, the one that is equal before all others."""
    if len(beginning) < SHORTEST_BEGINNING or not is_storable(beginning + (provider or "")):
        return []
    column = deliveries.c.delivery_id
    conditions = [deliveries.c.provider == provider] if provider is not None else []
    if connection.execute(sa.select(column).where(column == beginning, *conditions).limit(1)).first() is not None:
        return [beginning]
    conditions.append(sa.func.substr(column, 1, len(beginning)) == beginning)
    if connection.dialect.name == "sqlite":
        # PostgreSQL's index is in the order of a language, in which what begins alike need not stand together: it reads all.
        conditions += [column >= beginning, column < beginning + "\U0010ffff"]
    return list(connection.execute(sa.select(column).distinct().where(*conditions).limit(MOST_FITTING)).scalars())


def find_attempts(connection: Connection, job_id: str) -> list[AttemptRow]:
    statement = sa.select(attempts).where(attempts.c.job_id == job_id).order_by(attempts.c.number)
    return cast("list[AttemptRow]", connection.execute(statement).all())


def find_delivery(connection: Connection, delivery_id: str, provider: str | None = None) -> DeliveryRow:
    """By the provider's id, with the payload's columns. Where several carry it: a stored one before a refused one.

    Raises NotFound.
    """
    statement = _WHOLE.where(deliveries.c.delivery_id == delivery_id)
    statement = statement.order_by(deliveries.c.dedupe_key.is_(None), deliveries.c.seq.desc()).limit(1)
    if provider is not None:
        statement = statement.where(deliveries.c.provider == provider)
    row = connection.execute(statement).one_or_none() if is_storable(delivery_id + (provider or "")) else None
    if row is None:
        raise NotFound("no delivery with this ID")
    return cast(DeliveryRow, row)


def find_delivery_by_seq(connection: Connection, seq: int) -> DeliveryRow | None:
    """None for one that was deleted in the meantime."""
    return cast(DeliveryRow | None, connection.execute(_WHOLE.where(deliveries.c.seq == seq)).one_or_none())

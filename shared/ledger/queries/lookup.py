"""Finds jobs and deliveries by their ids, and what a filter asks of jobs. Takes a connection, never commits."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, cast

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from shared.domain.filters import ANY_WAITING, NONE, JobFilter
from shared.domain.ids import first_id
from shared.domain.job_states import WAITING
from shared.domain.names import is_storable
from shared.errors import NotFound
from shared.infra.json_codec import write_json
from shared.ledger.identities import find_own_rows
from shared.ledger.rows import AttemptRow, DeliveryRow, JobRow, ListedDelivery, OutcomeRow
from shared.ledger.tables import attempts, deliveries, jobs, payloads

SHORTEST_BEGINNING = 4  # characters of an id
MOST_FITTING = 5
MOST_OUTCOMES = 10  # jobs of a delivery that its line in a list speaks of
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
        (jobs.c.waiting, wanted.waiting),
        (jobs.c.warnings, wanted.warning),
        (jobs.c.replay_seq, wanted.replay),
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
    if value == ANY_WAITING and column.key == jobs.c.status.key:
        return column.in_(WAITING)
    if value == NONE and column.key in (jobs.c.reason.key, jobs.c.waiting.key):
        return column.is_(None)
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


def find_outcomes(connection: Connection, rows: Iterable[ListedDelivery]) -> dict[str, OutcomeRow]:
    """{id: job} of the first MOST_OUTCOMES jobs of each of these deliveries, in one query."""
    ids = [job_id for row in rows for job_id in row.jobs[:MOST_OUTCOMES]]
    if not ids:
        return {}
    columns = [jobs.c[name] for name in OutcomeRow.__annotations__]
    return {row.id: cast(OutcomeRow, row) for row in connection.execute(sa.select(*columns).where(jobs.c.id.in_(ids)))}


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
    conditions += begins(connection, column, beginning)
    return list(connection.execute(sa.select(column).distinct().where(*conditions).limit(MOST_FITTING)).scalars())


def delivery_seqs(connection: Connection, words: str, *, is_whole: bool) -> list[int]:
    """Numbers of deliveries whose id these words are, or begin: up to MOST_FITTING, the newest first."""
    column = deliveries.c.delivery_id
    if not is_whole and len(words) < SHORTEST_BEGINNING:
        return []
    conditions = [column == words] if is_whole else begins(connection, column, words)
    statement = sa.select(deliveries.c.seq).where(*conditions).limit(MOST_FITTING)
    return sorted(connection.execute(statement).scalars(), reverse=True)


def begins(connection: Connection, column: sa.ColumnElement[str], words: str) -> list[sa.ColumnElement[bool]]:
    """That a text begins so, as a range of an index that is in the order of bytes."""
    high = words + "\U0010ffff"  # sorts behind every character, in UTF-8 too
    if connection.dialect.name == "postgresql":
        return [column.op("~>=~", is_comparison=True)(words), column.op("~<=~", is_comparison=True)(high)]
    return [column >= words, column <= high]


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

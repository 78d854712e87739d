"""The rows and statements that store many new deliveries at once: the way in under load. Touches no database.

Plain INSERTs, which fail when a delivery id or a job is there already: what is not plainly new is left to
`deliveries.accept`, which takes one at a time. So is a job that may be there under another key: one from before jobs were
unique by the repository's number, or of a repository that is known by another name (`shared/ledger/job_keys.py`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from shared.domain.job_states import Trigger
from shared.domain.push import Push
from shared.infra.json_codec import write_json
from shared.ledger import job_keys
from shared.ledger.deliveries import Arrival, Receipt, delivery_values, job_values, payload_values, receipt_of
from shared.ledger.tables import deliveries, jobs, payloads

# On SQLite, inside the writing transaction. The commit log's numbers are deliveries' too, and outlive them.
LAST_SEQ = "SELECT max((SELECT coalesce(max(seq), 0) FROM deliveries), (SELECT coalesce(max(seq), 0) FROM pushes))"

Read = Callable[[Any], Any]
Row = dict[str, Any]


class NotAllNew(Exception):
    """A delivery id or a job of the group is there already: nothing was stored."""


@dataclass(slots=True)
class Rows:
    deliveries: list[Row] = field(default_factory=list)
    payloads: list[Row] = field(default_factory=list)
    jobs: list[Row] = field(default_factory=list)
    receipts: list[Receipt] = field(default_factory=list)
    old_keys: list[str] = field(default_factory=list)  # of the jobs, before repositories had numbers
    named: set[tuple[str, str, bool]] = field(default_factory=set)  # provider, name, whether a number came along

    def every_table(self) -> Iterator[tuple[sa.Table, list[Row]]]:
        """In the order that foreign keys ask for."""
        return zip(_TABLES, (self.deliveries, self.payloads, self.jobs), strict=True)

    def by_table(self) -> Iterator[tuple[sa.Table, list[Row]]]:
        """Those that get rows."""
        return ((table, rows) for table, rows in self.every_table() if rows)


_TABLES = (deliveries, payloads, jobs)


def rows_of(arrivals: Sequence[Arrival], seqs: Sequence[int]) -> Rows:
    """What is to be inserted, as SQLAlchemy would take it."""
    rows = Rows()
    for arrival, seq in zip(arrivals, seqs, strict=True):
        content, delivery_id = arrival.hook.content, arrival.hook.delivery_id
        made: list[Row] = []
        if isinstance(content, Push):
            made = [job_values(content, work, seq, delivery_id, Trigger.WEBHOOK, arrival.now) for work in arrival.decision.work]
            _note_names(rows, arrival, content)
        ids = tuple(row["id"] for row in made)
        row = delivery_values(arrival)
        row["seq"], row["jobs"] = seq, ids
        rows.deliveries.append(row)
        rows.payloads.append(payload_values(arrival, seq))
        rows.jobs += made
        rows.receipts.append(receipt_of(arrival, ids, knock=ids))
    return rows


def _note_names(rows: Rows, arrival: Arrival, push: Push) -> None:
    repository = push.repository
    if arrival.decision.work:
        rows.named.add((repository.provider, repository.full_name, repository.id is not None))
    if repository.id is not None:
        for work in arrival.decision.work:
            rows.old_keys += job_keys.name_keys(work.target, push, [repository.full_name])


_MAY_BE_THERE = """SELECT EXISTS (
  SELECT 1 FROM jobs WHERE jobs.repository_id IS NULL AND jobs.key {old_keys}
) OR EXISTS (
  SELECT 1 FROM known_repositories AS known
  JOIN {named} ON known.provider = {provider} AND lower(known.repository) = lower({name})
  WHERE known.repository <> {name} OR known.former_names IS NOT NULL OR (known.repository_id IS NOT NULL AND NOT {numbered})
) AS is_so"""
_MAY_BE_THERE_SQLITE = _MAY_BE_THERE.format(
    old_keys="IN (SELECT value FROM json_each(?))",
    named="json_each(?) AS one",
    provider="json_extract(one.value, '$[0]')",
    name="json_extract(one.value, '$[1]')",
    numbered="json_extract(one.value, '$[2]')",
)
_MAY_BE_THERE_POSTGRES = _MAY_BE_THERE.format(
    old_keys="= ANY(%b::text[])",
    named="unnest(%b::text[], %b::text[], %b::bool[]) AS one (provider, name, numbered)",
    provider="one.provider",
    name="one.name",
    numbered="one.numbered",
)


def sqlite_check(rows: Rows) -> tuple[str, tuple[str, str]] | None:
    """(statement, parameters) that says whether one of the jobs may be there under another key; None without jobs."""
    if not rows.jobs:
        return None
    return _MAY_BE_THERE_SQLITE, (write_json(rows.old_keys), write_json(sorted(rows.named)))


def sqlite_statements(rows: Rows) -> Iterator[tuple[str, list[list[Any]]]]:
    """(statement, its rows) for `executemany`."""
    for table, dicts in rows.by_table():
        statement, readers = _for_sqlite(table, tuple(dicts[0]))
        yield statement, [[row[name] if read is None else read(row[name]) for name, read in readers] for row in dicts]


def postgres_statement(rows: Rows) -> tuple[str, list[Any]]:
    """(statement, its parameters): one for all tables, and the same text for any number of rows, so that it stays prepared
    and a group is one round trip.

    `rows` are numbered from 1 on: the database draws the real numbers just before it uses them, so that they follow the
    order of arrival across processes.
    """
    statement, arrays, scalars = _for_postgres(*(tuple(each[0]) if each else () for _, each in rows.every_table()))
    parameters: list[Any] = []
    for (table, each), readers in zip(rows.every_table(), arrays, strict=True):
        if table is jobs and rows.jobs:
            named = sorted(rows.named)
            parameters += [rows.old_keys, *([one[place] for one in named] for place in range(3))]
        for name, read in readers:
            parameters.append([row[name] for row in each] if read is None else [read(row[name]) for row in each])
    return statement, parameters + [rows.jobs[0][name] if read is None else read(rows.jobs[0][name]) for name, read in scalars]


@lru_cache(maxsize=8)
def _for_sqlite(table: sa.Table, names: tuple[str, ...]) -> tuple[str, list[tuple[str, Read | None]]]:
    places = ", ".join("?" * len(names))
    statement = f"INSERT INTO {table.name} ({', '.join(names)}) VALUES ({places})"  # noqa: S608  (names of our own tables)
    return statement, [(name, _reader(table.columns[name], sqlite.dialect())) for name in names]


# What need not be sent for each job: what its delivery says, and what is the same for every new one.
_AS_DELIVERY = {
    "delivery_seq": "seq",
    "delivery_id": "delivery_id",
    "repository_id": "repository_id",
    "next_attempt_at": "created_at",
    "created_at": "created_at",
    "updated_at": "created_at",
}
_SAME = ("status", "trigger", "attempts", "attempts_allowed")


_Readers = list[tuple[str, Read | None]]


@lru_cache(maxsize=8)
def _for_postgres(
    delivery_names: tuple[str, ...], payload_names: tuple[str, ...], job_names: tuple[str, ...]
) -> tuple[str, tuple[_Readers, _Readers, _Readers], _Readers]:
    """(statement, the columns sent as arrays for each table, the columns of jobs sent once); no jobs without `job_names`."""
    d, d_arrays, d_readers = _sent(deliveries, [name for name in delivery_names if name != "seq"])
    p, p_arrays, p_readers = _sent(payloads, [name for name in payload_names if name != "delivery_seq"])
    statement = f"""
WITH arrived AS MATERIALIZED (
  SELECT nextval('deliveries_seq_seq') AS seq, * FROM unnest({d_arrays}, {p_arrays}) WITH ORDINALITY AS sent ({d}, {p}, number)
), new_deliveries AS (
  INSERT INTO deliveries (seq, {d}) SELECT seq, {d} FROM arrived
), new_payloads AS (
  INSERT INTO payloads (delivery_seq, {p}) SELECT seq, {p} FROM arrived
)"""  # noqa: S608  (names of our own tables)
    if not job_names:
        return f"{statement} SELECT", (d_readers, p_readers, []), []
    own = [name for name in job_names if name not in _SAME and name not in _AS_DELIVERY]
    j, j_arrays, j_readers = _sent(jobs, [*own, "delivery_seq"])
    same, _, same_readers = _sent(jobs, _SAME)
    scalars = ", ".join(f"%b::{_kind(jobs, name)}" for name in _SAME)
    # A key that is null is refused as one that is there already.
    values = ["CASE WHEN may_be_there.is_so THEN NULL ELSE job.key END" if name == "key" else f"job.{name}" for name in own]
    statement = f"""{statement}, may_be_there AS MATERIALIZED ({_MAY_BE_THERE_POSTGRES})
INSERT INTO jobs ({", ".join((*own, *_SAME, *_AS_DELIVERY))})
SELECT {", ".join((*values, "same.*", *(f"arrived.{name}" for name in _AS_DELIVERY.values())))}
FROM unnest({j_arrays}) AS job ({j}) JOIN arrived ON arrived.number = job.delivery_seq
CROSS JOIN (SELECT {scalars}) AS same ({same}) CROSS JOIN may_be_there"""  # noqa: S608
    return statement, (d_readers, p_readers, j_readers), same_readers


def _sent(table: sa.Table, names: Sequence[str]) -> tuple[str, str, _Readers]:
    """The columns as a list, as arrays that are sent, and how each is made of a row."""
    dialect = postgresql.dialect()  # type: ignore[no-untyped-call]
    arrays = ", ".join(f"%b::{_kind(table, name)}[]" for name in names)
    return ", ".join(names), arrays, [(name, _reader(table.columns[name], dialect)) for name in names]


def _kind(table: sa.Table, name: str) -> str:
    dialect = postgresql.dialect()  # type: ignore[no-untyped-call]
    return str(table.columns[name].type.compile(dialect=dialect)).partition("(")[0]


def _reader(column: sa.Column[Any], dialect: sa.Dialect) -> Read | None:
    """What makes of a value what the driver takes; None where it takes the value itself."""
    if isinstance(column.type, sa.JSON):
        return write_json
    if isinstance(column.type, sa.String) and column.name in ("status", "trigger"):
        return str  # an enum
    if isinstance(column.type, sa.Boolean | sa.LargeBinary):
        return None
    read: Read | None = column.type.dialect_impl(dialect).bind_processor(dialect)
    return read

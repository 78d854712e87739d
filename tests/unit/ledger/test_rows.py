"""The types of rows are those of their tables: mypy believes them, so a test has to look."""

from __future__ import annotations

from datetime import datetime
from types import NoneType
from typing import Any, get_args, get_origin, get_type_hints

import pytest
import sqlalchemy as sa

from shared.infra.database import PackedJson, UtcDateTime
from shared.ledger import rows
from shared.ledger.reporting_tables import audit, comparisons, known_repositories, tallies
from shared.ledger.tables import attempts, deliveries, jobs, payloads

TABLES: list[tuple[type, list[sa.Column[Any]]]] = [
    (rows.JobRow, list(jobs.c)),
    (rows.AttemptRow, list(attempts.c)),
    (rows.DeliveryRow, [*deliveries.c, payloads.c.headers, payloads.c.body]),
    (rows.AuditRow, list(audit.c)),
    (rows.TallyRow, list(tallies.c)),
    (rows.RepositoryRow, list(known_repositories.c)),
    (rows.ReconcileRow, list(comparisons.c)),
]


@pytest.mark.parametrize(("row", "columns"), TABLES, ids=lambda value: getattr(value, "__name__", ""))
def test_a_row_has_the_columns_of_its_table(row: type, columns: list[sa.Column[Any]]) -> None:
    hints = get_type_hints(row)
    hints.pop("_fields")
    assert sorted(hints) == sorted(column.name for column in columns)
    for column in columns:
        parts = set(get_args(hints[column.name])) if NoneType in get_args(hints[column.name]) else {hints[column.name]}
        assert (NoneType in parts) == (bool(column.nullable) or column.table is payloads), column
        (kind,) = parts - {NoneType}
        if not isinstance(column.type, (sa.JSON, PackedJson)):
            wanted = datetime if isinstance(column.type, UtcDateTime) else column.type.python_type
            assert kind is wanted, column
        else:
            assert get_origin(kind) in (dict, list), column

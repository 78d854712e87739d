"""What the ledger knows about the configuration: patterns that match a former name alone, and how often each rule matched."""

from __future__ import annotations

from collections.abc import Iterator

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Engine

from shared.domain.identity import patterns_left_behind
from shared.domain.rules import Rules
from shared.errors import SchemaError
from shared.infra.database import reading
from shared.ledger import identities, repositories, rollups
from shared.ledger.rows import RepositoryRow
from shared.ledger.tables import SCHEMA


def left_behind(rules: Rules, row: RepositoryRow) -> list[str]:
    """The patterns that match a repository (a row of `known_repositories`) by a former name alone."""
    known = identities.known_of(row)
    return patterns_left_behind(rules, row.provider, [former.name for former in known.former], known.name)


def list_left_behind(rules: Rules, engine: Engine) -> Iterator[str]:
    """One sentence for each repository of which that is so. None while there is no ledger to ask."""
    try:
        SCHEMA.check(engine)
        with reading(engine).begin() as connection:
            rows = repositories.list_renamed(connection)
    except (SchemaError, sa.exc.SQLAlchemyError):
        return
    for row in rows:
        if patterns := left_behind(rules, row):
            former = ", ".join(former.name for former in identities.known_of(row).former)
            yield f"{row.provider}:{row.repository}, formerly {former}, is no longer matched by {'; '.join(patterns)}"


def matched_rules(engine: Engine) -> dict[str, int] | None:
    """{rule: deliveries that it matched}; None while there is no ledger to ask, or nothing in it."""
    try:
        SCHEMA.check(engine)
        with reading(engine).begin() as connection:
            return count_matches(connection)
    except (SchemaError, sa.exc.SQLAlchemyError):
        return None


def count_matches(connection: Connection) -> dict[str, int] | None:
    """The same; None while no delivery was counted."""
    rows = rollups.of_all_time(connection)
    has_any = any(row.series == "deliveries" and row.label != "refused" for row in rows)
    return {row.label: row.number for row in rows if row.series == "rules"} if has_any else None

"""Repositories that were renamed, and what of the configuration still names them as they were called before."""

from __future__ import annotations

from collections.abc import Iterator

import sqlalchemy as sa
from sqlalchemy.engine import Engine

from shared.domain.identity import patterns_left_behind
from shared.domain.rules import Rules
from shared.errors import SchemaError
from shared.infra.database import reading
from shared.ledger import identities, repositories
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

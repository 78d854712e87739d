"""Which commits each repository put into a release: a POST replaces the whole list, so every POST sends the union.

Takes a connection, never commits.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import Connection

from shared.models import contributions


def contribute(
    connection: Connection, *, target: str, version: str, repository_key: str, commit_ids: Sequence[str], at: datetime
) -> None:
    """Remember what this repository puts into the release."""
    insert: Any = postgresql.insert if connection.dialect.name == "postgresql" else sqlite.insert
    statement = insert(contributions).values(
        target=target, version=version, repository_key=repository_key, commit_ids=list(commit_ids), at=at
    )
    connection.execute(
        statement.on_conflict_do_update(
            index_elements=["target", "version", "repository_key"],
            set_={"commit_ids": statement.excluded.commit_ids, "at": statement.excluded.at},
        )
    )


def others_contributions(connection: Connection, *, target: str, version: str, repository_key: str) -> dict[str, list[str]]:
    """{repository key: commit ids, newest first} of the other repositories that share this release."""
    statement = (
        sa.select(contributions.c.repository_key, contributions.c.commit_ids)
        .where(
            contributions.c.target == target,
            contributions.c.version == version,
            contributions.c.repository_key != repository_key,
        )
        .order_by(contributions.c.repository_key)
    )
    return {row.repository_key: row.commit_ids for row in connection.execute(statement)}

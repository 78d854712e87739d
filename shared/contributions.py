"""Which commits each repository put into a release: a POST replaces the whole list, so every POST sends the union.

Takes a connection, never commits. The lists are packed: a release of ten thousand commits is one row here.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from shared.db import upsert_for
from shared.models import contributions
from shared.push import Commit, FileChange

_FASTEST = 1  # of zlib: messages shrink threefold all the same
_OTHERS = (
    sa.select(contributions.c.repository_key, contributions.c.commits)
    .where(
        contributions.c.target == sa.bindparam("target"),
        contributions.c.version == sa.bindparam("version"),
        contributions.c.repository_key != sa.bindparam("own"),
    )
    .order_by(contributions.c.repository_key)
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Contribution:
    """What one repository puts into a release, newest first."""

    target: str
    version: str
    repository_key: str
    commits: Sequence[Commit]


def contribute(connection: Connection, own: Contribution, at: datetime) -> None:
    """Remember what this repository put into the release."""
    row = {
        "target": own.target,
        "version": own.version,
        "repository_key": own.repository_key,
        "commits": _pack(own.commits),
        "at": at,
    }
    connection.execute(_contribution(connection.dialect.name), row)


@cache
def _contribution(dialect: str) -> Any:
    statement = upsert_for(dialect, contributions)
    return statement.on_conflict_do_update(
        index_elements=["target", "version", "repository_key"],
        set_={"commits": statement.excluded.commits, "at": statement.excluded.at},
    )


def others_contributions(connection: Connection, own: Contribution) -> dict[str, tuple[Commit, ...]]:
    """{repository key: commits, newest first} of the other repositories that share this release."""
    asked = {"target": own.target, "version": own.version, "own": own.repository_key}
    return {row.repository_key: _unpack(row.commits) for row in connection.execute(_OTHERS, asked)}


def _pack(commits: Sequence[Commit]) -> bytes:
    rows = [
        (
            commit.id,
            commit.message,
            commit.author_name,
            commit.author_email,
            commit.timestamp.isoformat() if commit.timestamp else None,
            None if commit.files is None else [(change.path, change.type) for change in commit.files],
        )
        for commit in commits
    ]
    return zlib.compress(json.dumps(rows, separators=(",", ":")).encode(), _FASTEST)


def _unpack(packed: bytes) -> tuple[Commit, ...]:
    return tuple(
        Commit(
            id=sha,
            message=message,
            author_name=name,
            author_email=email,
            timestamp=datetime.fromisoformat(at) if at else None,
            files=None if files is None else tuple(FileChange(path, kind) for path, kind in files),
        )
        for sha, message, name, email, at, files in json.loads(zlib.decompress(packed))
    )

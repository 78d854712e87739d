"""Which commits each repository put into a release: a POST replaces the whole list, so every POST sends the union.

Takes a connection, never commits. The lists are packed: a release of ten thousand commits is one row here.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Sequence
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from shared.db import upsert
from shared.models import contributions
from shared.push import Commit, FileChange

_FASTEST = 1  # of zlib: messages shrink threefold all the same


def contribute(
    connection: Connection, *, target: str, version: str, repository_key: str, commits: Sequence[Commit], at: datetime
) -> None:
    """Remember what this repository puts into the release, newest first."""
    statement = upsert(connection, contributions).values(
        target=target, version=version, repository_key=repository_key, commits=_pack(commits), at=at
    )
    connection.execute(
        statement.on_conflict_do_update(
            index_elements=["target", "version", "repository_key"],
            set_={"commits": statement.excluded.commits, "at": statement.excluded.at},
        )
    )


def others_contributions(
    connection: Connection, *, target: str, version: str, repository_key: str
) -> dict[str, tuple[Commit, ...]]:
    """{repository key: commits, newest first} of the other repositories that share this release."""
    statement = (
        sa.select(contributions.c.repository_key, contributions.c.commits)
        .where(
            contributions.c.target == target,
            contributions.c.version == version,
            contributions.c.repository_key != repository_key,
        )
        .order_by(contributions.c.repository_key)
    )
    return {row.repository_key: _unpack(row.commits) for row in connection.execute(statement)}


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

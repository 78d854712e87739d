"""What a release is read back as."""

from __future__ import annotations

import sqlalchemy as sa

from releases.tables.releases import commits
from tests.releases.caller import Caller


def ids(api: Caller, version: str = "1.0") -> list[str]:
    return [commit["id"] for commit in api.commits(version)]


def heads(api: Caller) -> list[tuple[str, str]]:
    from releases.tables.releases import release_heads, repositories

    query = (
        sa.select(repositories.c.name, commits.c.key)
        .join(release_heads, release_heads.c.repository_id == repositories.c.id)
        .join(commits, commits.c.id == release_heads.c.commit_id)
        .order_by(repositories.c.name)
    )
    with api.app.extensions["releases"].reader.begin() as connection:
        return [(row.name, row.key) for row in connection.execute(query)]

"""The heads of a release: where each repository stands. The caller holds the transaction and the release's lock."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from releases.errors import invalid
from releases.tables.releases import commits, release_heads, release_projects, release_ranges, releases, repositories
from releases.tables.upsert import add_new
from releases.validation.requests import Ref

_CHUNK = 500  # names in one IN (...): both databases bound their parameters
_REPOSITORIES = sa.select(repositories.c.name, repositories.c.id).where(
    repositories.c.organization_id == sa.bindparam("organization_id"),
    repositories.c.name.in_(sa.bindparam("names", expanding=True)),
)


def set_heads(connection: Connection, organization_id: int, release_id: int, refs: Sequence[Ref], now: datetime) -> None:
    """Store the head of each ref; of two for one repository the last counts. Raises Refused (400) for unknown ones."""
    ids = _known_repositories(connection, organization_id, refs)
    last = {ids[ref.repository]: ref for ref in refs}
    rows = [{"repository_id": ids[ref.repository], "key": ref.commit, "date_added": now} for ref in refs]
    add_new(connection, commits, sorted(rows, key=lambda row: (row["repository_id"], row["key"])))
    connection.execute(
        sa.delete(release_heads).where(
            release_heads.c.release_id == release_id, release_heads.c.repository_id.in_(sorted(last))
        )
    )
    for repository_id, ref in sorted(last.items()):
        found = sa.select(sa.literal(release_id), sa.literal(repository_id), commits.c.id).where(
            commits.c.repository_id == repository_id, commits.c.key == ref.commit
        )
        connection.execute(sa.insert(release_heads).from_select(["release_id", "repository_id", "commit_id"], found))


def await_commits(connection: Connection, organization_id: int, release_id: int, refs: Sequence[Ref]) -> None:
    """Note down, per ref, from where to where commits are to be found once this request is answered."""
    ids = _known_repositories(connection, organization_id, refs)
    before = _previous_heads(connection, organization_id, release_id)
    connection.execute(sa.delete(release_ranges).where(release_ranges.c.release_id == release_id))
    rows = {
        ids[ref.repository]: {
            "release_id": release_id,
            "repository_id": ids[ref.repository],
            "position": position,
            "start_key": ref.previous or before.get(ids[ref.repository]),
            "end_key": ref.commit,
        }
        for position, ref in enumerate(refs)
    }
    connection.execute(sa.insert(release_ranges), list(rows.values()))


_AWAITED = (
    sa.select(sa.literal(1))
    .select_from(release_ranges.join(release_heads, release_heads.c.repository_id == release_ranges.c.repository_id))
    .where(release_heads.c.release_id == sa.bindparam("release_id"))
    .limit(1)
)


def is_awaited(connection: Connection, release_id: int) -> bool:
    """Whether some release, maybe this one, waits for commits of a repository that this one has a head in."""
    return connection.execute(_AWAITED, {"release_id": release_id}).first() is not None


def clear_heads(connection: Connection, release_id: int) -> None:
    connection.execute(sa.delete(release_heads).where(release_heads.c.release_id == release_id))


def _known_repositories(connection: Connection, organization_id: int, refs: Sequence[Ref]) -> dict[str, int]:
    names = sorted({ref.repository for ref in refs})
    ids: dict[str, int] = {}
    for start in range(0, len(names), _CHUNK):
        some = {"organization_id": organization_id, "names": names[start : start + _CHUNK]}
        ids |= {row.name: row.id for row in connection.execute(_REPOSITORIES, some)}
    if unknown := [name for name in names if name not in ids]:
        raise invalid({"refs": [f"Invalid repository names: {','.join(unknown)}"]})
    return ids


def _previous_heads(connection: Connection, organization_id: int, release_id: int) -> dict[int, str]:
    """Sha by repository of the newest other release that shares a project, as the original chooses it."""
    mine, theirs = release_projects.alias(), release_projects.alias()
    shares = (
        sa.select(sa.literal(1))
        .where(mine.c.release_id == release_id, theirs.c.project_id == mine.c.project_id, theirs.c.release_id == releases.c.id)
        .exists()
    )
    previous = (
        sa.select(releases.c.id)
        .where(releases.c.organization_id == organization_id, releases.c.id != release_id, shares)
        .order_by(releases.c.date_sort.desc(), releases.c.id.desc())
        .limit(1)
    )
    query = (
        sa.select(release_heads.c.repository_id, commits.c.key)
        .join(commits, commits.c.id == release_heads.c.commit_id)
        .where(release_heads.c.release_id == previous.scalar_subquery())
    )
    return {row.repository_id: row.key for row in connection.execute(query)}

"""Lists of releases and commits, page by page: each reads a bounded number of rows, however deep the page. Never writes."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection, RowMapping

from releases.http.pagination import Cursor, Turn, from_ticks, turn_by_key, turn_by_number
from releases.store.selects import COMMITS
from releases.tables.releases import commits, release_commits, release_projects, releases, repositories

BY_CREATION = releases.c.date_added
BY_RELEASE = releases.c.date_sort


@dataclass(frozen=True, slots=True)
class Page:
    rows: Sequence[RowMapping]
    turn: Turn


def of_organization(organization_id: int) -> sa.Select[Any]:
    return sa.select(releases).where(releases.c.organization_id == organization_id)


def within_projects(query: sa.Select[Any], project_ids: Collection[int]) -> sa.Select[Any]:
    """Only releases linked to one of the projects."""
    linked = release_projects.c.project_id.in_(sorted(project_ids))
    return query.where(sa.select(sa.literal(1)).where(release_projects.c.release_id == releases.c.id, linked).exists())


def page_by_time(
    connection: Connection, query: sa.Select[Any], column: sa.Column[Any], cursor: Cursor | None, size: int
) -> Page:
    """Newest first by `column`, then id. Raises ValueError for a cursor that names no time."""
    back = cursor is not None and cursor.is_previous
    if cursor is not None:
        place = sa.tuple_(sa.literal(from_ticks(cursor.value), column.type), sa.literal(cursor.offset, sa.BigInteger))
        key = sa.tuple_(column, releases.c.id)
        query = query.where(key > place if back else key < place)
    order = (column.asc(), releases.c.id.asc()) if back else (column.desc(), releases.c.id.desc())
    found = connection.execute(query.order_by(*order).limit(size + 1)).mappings().all()
    rows = list(found[:size])
    if back:
        rows.reverse()
    keys: list[tuple[datetime, int]] = [(row[column.name], row["id"]) for row in rows]
    return Page(rows, turn_by_key(cursor, keys, has_more=len(found) > size))


def page_by_number(connection: Connection, query: sa.Select[Any], cursor: Cursor | None, size: int) -> Page:
    """For orders without a key to continue from."""
    start = max(cursor.offset, 0) * size if cursor else 0
    found = connection.execute(query.limit(size + 1).offset(min(start, 2**62))).mappings().all()
    return Page(found[:size], turn_by_number(cursor, size, has_more=len(found) > size))


_COMMITS_OF = (
    COMMITS.add_columns(release_commits.c.position)
    .join(release_commits, release_commits.c.commit_id == commits.c.id)
    .where(
        release_commits.c.release_id == sa.bindparam("release_id"),
        release_commits.c.position >= sa.bindparam("start"),
        release_commits.c.position < sa.bindparam("stop"),
    )
    .order_by(release_commits.c.position)
)


def commits_of(connection: Connection, release_id: int, cursor: Cursor | None, size: int) -> Page:
    """A release's commits by position; a cursor's offset is the first one's."""
    start = min(max(cursor.offset, 0), 2**31 - 1 - size) if cursor else 0
    window = {"release_id": release_id, "start": start, "stop": start + size + 1}
    found = connection.execute(_COMMITS_OF, window).mappings().all()
    turn = Turn(
        previous=Cursor(0, max(start - size, 0), True),
        next=Cursor(0, start + size),
        has_previous=start > 0,
        has_next=len(found) > size,
    )
    return Page(found[:size], turn)


def previous_with_commits(connection: Connection, row: RowMapping) -> RowMapping | None:
    """The newest release up to this one, maybe itself, that shares a project and has a last commit."""
    mine, theirs = release_projects.alias(), release_projects.alias()
    shares = (
        sa.select(sa.literal(1))
        .where(mine.c.release_id == row["id"], theirs.c.project_id == mine.c.project_id, theirs.c.release_id == releases.c.id)
        .exists()
    )
    query = of_organization(row["organization_id"]).where(
        releases.c.last_commit_id.is_not(None), row["date_sort"] >= BY_RELEASE, shares
    )
    return connection.execute(query.order_by(BY_RELEASE.desc(), releases.c.id.desc()).limit(1)).mappings().one_or_none()


def neighbours(connection: Connection, row: RowMapping, project_id: int) -> dict[str, str | None]:
    """Versions beside this release, and the ends of the line, among those of one project by creation."""
    place = sa.tuple_(sa.literal(row["date_added"], BY_CREATION.type), sa.literal(row["id"], sa.BigInteger))
    key = sa.tuple_(BY_CREATION, releases.c.id)
    newest, oldest = (BY_CREATION.desc(), releases.c.id.desc()), (BY_CREATION.asc(), releases.c.id.asc())
    query = within_projects(sa.select(releases.c.version), [project_id])
    query = query.where(releases.c.organization_id == row["organization_id"]).limit(1)
    wanted = {
        "nextReleaseVersion": query.where(key > place).order_by(*oldest),
        "prevReleaseVersion": query.where(key < place).order_by(*newest),
        "firstReleaseVersion": query.order_by(*oldest),
        "lastReleaseVersion": query.order_by(*newest),
    }
    return {name: connection.execute(one).scalar_one_or_none() for name, one in wanted.items()}


_REPOSITORIES = sa.select(
    repositories.c.id.label("repository_id"),
    repositories.c.name.label("repository_name"),
    repositories.c.url.label("repository_url"),
    repositories.c.provider,
    repositories.c.date_added.label("repository_date"),
).order_by(repositories.c.name, repositories.c.id)


def repositories_of(connection: Connection, organization_id: int, cursor: Cursor | None, size: int) -> Page:
    query = _REPOSITORIES.where(repositories.c.organization_id == organization_id)
    return page_by_number(connection, query, cursor, size)

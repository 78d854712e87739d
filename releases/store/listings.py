"""Lists of releases and commits, page by page: each reads a bounded number of rows, however deep the page. Never writes."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection, RowMapping

from releases.errors import missing
from releases.http.pagination import Cursor, Turn, from_ticks, turn_by_key, turn_by_number
from releases.store.selects import COMMITS
from releases.tables.releases import (
    commit_files,
    commits,
    release_commits,
    release_projects,
    releases,
    repositories,
)

BY_CREATION = releases.c.date_added
BY_RELEASE = releases.c.date_sort


@dataclass(frozen=True, slots=True)
class Page:
    rows: Sequence[RowMapping]
    turn: Turn


def of_organization(organization_id: int) -> sa.Select[Any]:
    return sa.select(releases).where(releases.c.organization_id == organization_id)


def within(project_ids: Collection[int] | None) -> sa.ColumnElement[bool]:
    """True for a release that is linked to one of the projects; None: to any project."""
    own = sa.select(sa.literal(1)).where(release_projects.c.release_id == releases.c.id)
    if project_ids is not None:
        own = own.where(release_projects.c.project_id.in_(sorted(project_ids)))
    return own.correlate(releases).exists()


def within_projects(query: sa.Select[Any], project_ids: Collection[int] | None) -> sa.Select[Any]:
    """Only releases linked to one of the projects, or to any."""
    return query.where(within(project_ids))


def page_by_time(
    connection: Connection, query: sa.Select[Any], column: sa.Column[Any], cursor: Cursor | None, size: int
) -> Page:
    """Newest first by `column`, then id. Raises ValueError for a cursor that names no time."""
    if cursor is not None and not cursor.value:  # no place, as of the original's cursors: the first page
        cursor = None
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
    .where(release_commits.c.release_id == sa.bindparam("release_id"))
    .order_by(release_commits.c.position)
)
_WINDOW_OF_COMMITS = _COMMITS_OF.where(
    release_commits.c.position >= sa.bindparam("start"), release_commits.c.position < sa.bindparam("stop")
)


def commits_of(
    connection: Connection, release_id: int, cursor: Cursor | None, size: int, *, repository_id: int | None = None
) -> Page:
    """A release's commits by position; a cursor's offset is the first one's. Of one repository or of all."""
    start = min(max(cursor.offset, 0), 2**31 - 2 - size) if cursor else 0
    if repository_id is not None:
        query = _COMMITS_OF.where(commits.c.repository_id == repository_id).limit(size + 1).offset(start)
        found = connection.execute(query, {"release_id": release_id}).mappings().all()
    else:  # positions have no gaps: a window of them costs the same however deep
        window = {"release_id": release_id, "start": start, "stop": start + size + 1}
        found = connection.execute(_WINDOW_OF_COMMITS, window).mappings().all()
    turn = Turn(
        previous=Cursor(0, max(start - size, 0), True),
        next=Cursor(0, start + size),
        has_previous=start > 0,
        has_next=len(found) > size,
    )
    return Page(found[:size], turn)


_FILES_OF = (
    COMMITS.add_columns(commit_files.c.path, commit_files.c.type)
    .join(commit_files, commit_files.c.commit_id == commits.c.id)
    .join(release_commits, release_commits.c.commit_id == commits.c.id)
    .where(release_commits.c.release_id == sa.bindparam("release"))
    .order_by(commit_files.c.path, commits.c.id)
)


def files_of(
    connection: Connection, release_id: int, cursor: Cursor | None, size: int, *, repository_id: int | None = None
) -> Page:
    """What the release's commits changed, by path. Of one repository or of all."""
    query = _FILES_OF if repository_id is None else _FILES_OF.where(commits.c.repository_id == repository_id)
    return page_by_number(connection, query.params(release=release_id), cursor, size)


def count_files(connection: Connection, release_id: int) -> int:
    """How many different paths the release's commits changed."""
    query = (
        sa.select(sa.func.count(sa.distinct(commit_files.c.path)))
        .join(release_commits, release_commits.c.commit_id == commit_files.c.commit_id)
        .where(release_commits.c.release_id == release_id)
    )
    return int(connection.execute(query).scalar_one())


def previous_with_commits(connection: Connection, row: RowMapping, visible: Collection[int] | None = None) -> RowMapping | None:
    """The newest release up to this one, maybe itself, that shares a project and has a last commit.

    With `visible` the project is one of these.
    """
    mine, theirs = release_projects.alias(), release_projects.alias()
    shares = (
        sa.select(sa.literal(1))
        .where(mine.c.release_id == row["id"], theirs.c.project_id == mine.c.project_id, theirs.c.release_id == releases.c.id)
        .exists()
    )
    query = of_organization(row["organization_id"]).where(
        releases.c.last_commit_id.is_not(None), row["date_sort"] >= BY_RELEASE, shares
    )
    if visible is not None:
        query = within_projects(query, visible)
    return connection.execute(query.order_by(BY_RELEASE.desc(), releases.c.id.desc()).limit(1)).mappings().one_or_none()


def neighbours(connection: Connection, row: RowMapping, project_ids: Collection[int]) -> dict[str, Any]:
    """Versions beside this release, and the ends of the line, among those of some projects by creation."""
    place = sa.tuple_(sa.literal(row["date_added"], BY_CREATION.type), sa.literal(row["id"], sa.BigInteger))
    key = sa.tuple_(BY_CREATION, releases.c.id)
    newest, oldest = (BY_CREATION.desc(), releases.c.id.desc()), (BY_CREATION.asc(), releases.c.id.asc())
    query = within_projects(sa.select(releases.c.version), project_ids)
    query = query.where(releases.c.organization_id == row["organization_id"]).limit(1)
    beside = query.where(releases.c.is_archived.is_(False))
    wanted = {
        "nextReleaseVersion": beside.where(key > place).order_by(*oldest),
        "prevReleaseVersion": beside.where(key < place).order_by(*newest),
        "firstReleaseVersion": query.order_by(*oldest),
        "lastReleaseVersion": query.order_by(*newest),
    }
    found = {name: connection.execute(one).scalar_one_or_none() for name, one in wanted.items()}
    return {"sessionsLowerBound": None, "sessionsUpperBound": None, **found}  # no sessions are kept here


_REPOSITORIES = sa.select(
    repositories.c.id.label("repository_id"),
    repositories.c.name.label("repository_name"),
    repositories.c.url.label("repository_url"),
    repositories.c.provider,
    repositories.c.date_added.label("repository_date"),
).order_by(repositories.c.name, repositories.c.id)


def repositories_of(
    connection: Connection, organization_id: int, text: str, cursor: Cursor | None, size: int, *, is_active: bool = True
) -> Page:
    """Those whose name holds `text`, in any letter case. All that are kept here are active."""
    query = _REPOSITORIES.where(repositories.c.organization_id == organization_id)
    if text:
        query = query.where(repositories.c.name.icontains(text, autoescape=True))
    if not is_active:
        query = query.where(sa.false())
    return page_by_number(connection, query, cursor, size)


def repositories_in(connection: Connection, release_id: int) -> Sequence[RowMapping]:
    """The repositories that commits of the release lie in."""
    mine = (
        sa.select(commits.c.repository_id)
        .join(release_commits, release_commits.c.commit_id == commits.c.id)
        .where(release_commits.c.release_id == release_id)
    )
    return connection.execute(_REPOSITORIES.where(repositories.c.id.in_(mine))).mappings().all()


def find_repository(connection: Connection, organization_id: int, name: str) -> int:
    """The id. Raises Refused (404)."""
    query = sa.select(repositories.c.id).where(repositories.c.organization_id == organization_id, repositories.c.name == name)
    found = connection.execute(query).scalar_one_or_none()
    if found is None:
        raise missing()
    return int(found)

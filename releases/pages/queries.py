"""What the pages show, read from the database: bounded, whatever is stored. Never writes."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection, RowMapping

from releases.http.pagination import Cursor, Turn
from releases.serializers import releases as release_serializer
from releases.serializers.commits import render_commit
from releases.store import artifacts, listings
from releases.store.deploys import list_last
from releases.store.search import matching
from releases.tables.releases import activities, commit_files, release_ranges, releases, repositories
from releases.tables.tenants import organizations, projects

PAGE = 50
MOST_FILES = 100  # shown of one commit
_MOST_ORGANIZATIONS = 200
_MOST_AUTHORS = 100
_MOST_ARTIFACTS = 200


def list_organizations(connection: Connection, only: int | None) -> Sequence[RowMapping]:
    """Each with how many projects it has; all of them or one."""
    count = sa.select(sa.func.count()).where(projects.c.organization_id == organizations.c.id).scalar_subquery()
    query = sa.select(organizations, count.label("projects")).order_by(organizations.c.slug).limit(_MOST_ORGANIZATIONS)
    if only is not None:
        query = query.where(organizations.c.id == only)
    return connection.execute(query).mappings().all()


@dataclass(frozen=True, slots=True)
class Releases:
    items: list[dict[str, Any]]
    turn: Turn


def list_releases(
    connection: Connection,
    organization_id: int,
    *,
    visible: frozenset[int] | None,
    text: str,
    archived: bool,
    cursor: Cursor | None,
) -> Releases:
    """A page of releases as the API shows them. Raises Refused for a bad search, ValueError for a bad cursor."""
    query = listings.of_organization(organization_id).where(releases.c.is_archived.is_(archived))
    if visible is not None:
        query = listings.within_projects(query, visible)
    for clause in matching(text):
        query = query.where(clause)
    page = listings.page_by_time(connection, query, listings.BY_CREATION, cursor, PAGE)
    return Releases(release_serializer.render_releases(connection, page.rows, visible=visible), page.turn)


def read_release(
    connection: Connection, row: RowMapping, cursor: Cursor | None, visible: frozenset[int] | None
) -> dict[str, Any]:
    """Everything the page of one release shows."""
    page = listings.commits_of(connection, row["id"], cursor, PAGE)
    files, cut = _files(connection, [commit["commit_id"] for commit in page.rows])
    commits = [
        {**render_commit(commit), "files": files[commit["commit_id"]], "is_cut": commit["commit_id"] in cut}
        for commit in page.rows
    ]
    shown = release_serializer.render_releases(connection, [row], visible=visible)[0]
    return {
        "release": shown,
        "authors": shown["authors"][:_MOST_AUTHORS],
        "commits": commits,
        "turn": page.turn,
        "artifacts": artifacts.list_of_version(
            connection, row["organization_id"], row["version"], row["id"], visible, _MOST_ARTIFACTS
        ),
        "artifact_totals": artifacts.totals(connection, row["organization_id"], row["version"], row["id"], visible),
        "deploys": [release_serializer.render_deploy(deploy) for deploy in list_last(connection, row["id"], visible)],
        "notes": _notes(connection, row["id"]),
        "activities": _activities(connection, row["id"], visible),
    }


def _files(connection: Connection, commit_ids: Sequence[int]) -> tuple[dict[int, list[RowMapping]], set[int]]:
    """(files by commit, the commits that have more than are shown)."""
    if not commit_ids:
        return {}, set()
    place = sa.func.row_number().over(partition_by=commit_files.c.commit_id, order_by=commit_files.c.path).label("place")
    numbered = sa.select(commit_files, place).where(commit_files.c.commit_id.in_(commit_ids)).subquery()
    query = sa.select(numbered).where(numbered.c.place <= MOST_FILES + 1).order_by(numbered.c.commit_id, numbered.c.path)
    files: defaultdict[int, list[RowMapping]] = defaultdict(list)
    for row in connection.execute(query).mappings():
        files[row["commit_id"]].append(row)
    cut = {commit_id for commit_id, found in files.items() if len(found) > MOST_FILES}
    return defaultdict(list, {commit_id: found[:MOST_FILES] for commit_id, found in files.items()}), cut


def _notes(connection: Connection, release_id: int) -> list[str]:
    """Why refs have not become commits yet."""
    query = (
        sa.select(release_ranges.c.note, repositories.c.name)
        .join(repositories, repositories.c.id == release_ranges.c.repository_id)
        .where(release_ranges.c.release_id == release_id)
        .order_by(release_ranges.c.position)
    )
    return [row.note or f"{row.name}: its commits are being looked for" for row in connection.execute(query)]


def _activities(connection: Connection, release_id: int, visible: frozenset[int] | None) -> Sequence[RowMapping]:
    query = (
        sa.select(activities.c.date_added, projects.c.slug)
        .join(projects, projects.c.id == activities.c.project_id)
        .where(activities.c.release_id == release_id)
        .order_by(activities.c.id.desc())
        .limit(20)
    )
    if visible is not None:
        query = query.where(activities.c.project_id.in_(sorted(visible)))
    return connection.execute(query).mappings().all()

"""Releases and deploys as the API shows them, many at once: a fixed number of reads however many. Never writes."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection, RowMapping

from releases.serializers.commits import Json, render_author, render_commit, render_user
from releases.store.selects import BY_IDS, DEPLOYS, IS_MEMBER, MEMBERS, USER_COLUMNS
from releases.tables.releases import authors, deploys, release_authors, release_projects
from releases.tables.tenants import projects, users
from releases.validation.release_version import render_version_info
from releases.validation.times import render_time

_PROJECTS = (
    sa.select(release_projects.c.release_id, projects.c.id, projects.c.slug, projects.c.name, projects.c.platform)
    .join(projects, projects.c.id == release_projects.c.project_id)
    .where(release_projects.c.release_id.in_(sa.bindparam("ids", expanding=True)))
    .order_by(projects.c.slug)
)
_AUTHORS = (
    sa.select(
        release_authors.c.release_id,
        authors.c.email.label("author_email"),
        authors.c.name.label("author_name"),
        *USER_COLUMNS,
    )
    .select_from(release_authors.join(authors, authors.c.id == release_authors.c.author_id).outerjoin(MEMBERS, IS_MEMBER))
    .where(release_authors.c.release_id.in_(sa.bindparam("ids", expanding=True)))
    .order_by(release_authors.c.release_id, release_authors.c.position)
)
_OWNERS = sa.select(*USER_COLUMNS).where(users.c.id.in_(sa.bindparam("ids", expanding=True)))
_SOME_DEPLOYS = DEPLOYS.where(deploys.c.id.in_(sa.bindparam("ids", expanding=True)))


def render_releases(
    connection: Connection, rows: Sequence[RowMapping], *, project_ids: Collection[int] | None = None
) -> list[Json]:
    """One object per row, in order. With `project_ids` only those projects are named."""
    if not rows:
        return []
    projects_of = _grouped(connection, _PROJECTS, [row["id"] for row in rows])
    authors_of = _grouped(connection, _AUTHORS, [row["id"] for row in rows if row["commit_count"]])
    last_commits = _by_id(connection, BY_IDS, "commit_id", [row["last_commit_id"] for row in rows])
    last_deploys = _by_id(connection, _SOME_DEPLOYS, "id", [row["last_deploy_id"] for row in rows])
    owners = _by_id(connection, _OWNERS, "user_id", [row["owner_id"] for row in rows])
    return [
        {
            **_render_row(row),
            "owner": render_user(owners[row["owner_id"]]) if row["owner_id"] in owners else None,
            "lastCommit": render_commit(last_commits[row["last_commit_id"]]) if row["last_commit_id"] in last_commits else None,
            "lastDeploy": render_deploy(last_deploys[row["last_deploy_id"]]) if row["last_deploy_id"] in last_deploys else None,
            "authors": [render_author(person) for person in authors_of[row["id"]]],
            "projects": [
                render_project(project)
                for project in projects_of[row["id"]]
                if project_ids is None or project["id"] in project_ids
            ],
        }
        for row in rows
    ]


def _render_row(row: RowMapping) -> Json:
    """What the release's own row says. Events are not kept here, so whatever counts them is empty."""
    return {
        "id": row["id"],
        "version": row["version"],
        "status": "archived" if row["is_archived"] else "open",
        "shortVersion": row["version"],
        "versionInfo": render_version_info(row["version"]),
        "ref": row["ref"],
        "url": row["url"],
        "dateReleased": render_time(row["date_released"]),
        "dateCreated": render_time(row["date_added"]),
        "data": {},
        "newGroups": 0,
        "commitCount": row["commit_count"],
        "deployCount": row["deploy_count"],
        "firstEvent": None,
        "lastEvent": None,
        "currentProjectMeta": {},
        "userAgent": row["user_agent"],
    }


def render_project(row: RowMapping) -> Json:
    return {
        "id": row["id"],
        "slug": row["slug"],
        "name": row["name"],
        "newGroups": 0,
        "platform": row["platform"],
        "platforms": [row["platform"]] if row["platform"] else [],
        "hasHealthData": False,
    }


def render_deploy(row: RowMapping) -> Json:
    """From a row of DEPLOYS."""
    return {
        "id": str(row["id"]),
        "environment": row["environment"],
        "dateStarted": render_time(row["date_started"]),
        "dateFinished": render_time(row["date_finished"]),
        "name": row["name"],
        "url": row["url"],
    }


def _grouped(connection: Connection, query: sa.Select[Any], ids: Sequence[int]) -> defaultdict[int, list[RowMapping]]:
    groups: defaultdict[int, list[RowMapping]] = defaultdict(list)
    if ids:
        for row in connection.execute(query, {"ids": ids}).mappings():
            groups[row["release_id"]].append(row)
    return groups


def _by_id(connection: Connection, query: sa.Select[Any], name: str, ids: Sequence[int | None]) -> dict[int, RowMapping]:
    wanted = [number for number in set(ids) if number is not None]
    if not wanted:
        return {}
    return {row[name]: row for row in connection.execute(query, {"ids": wanted}).mappings()}

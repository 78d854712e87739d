"""Releases and deploys as the API shows them, many at once: a fixed number of reads however many. Never writes."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection, RowMapping

from releases.serializers.commits import (
    MOST_RELEASES,
    Json,
    render_author,
    render_commit,
    render_commits,
    render_release_name,
    render_user,
)
from releases.store.listings import within
from releases.store.selects import BY_IDS, DEPLOYS, IS_MEMBER, MEMBERS, RELEASE_NAMES, USER_COLUMNS
from releases.tables.releases import (
    authors,
    commits,
    deploys,
    last_deploys,
    release_authors,
    release_commits,
    release_projects,
    releases,
)
from releases.tables.tenants import projects, users
from releases.validation.release_version import render_version_info
from releases.validation.times import render_time

_PROJECTS = (
    sa.select(release_projects.c.release_id, projects.c.id, projects.c.slug, projects.c.name, projects.c.platform)
    .join(projects, projects.c.id == release_projects.c.project_id)
    .where(release_projects.c.release_id.in_(sa.bindparam("ids", expanding=True)))
    .order_by(projects.c.id)
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
_WITH_RELEASES = (
    BY_IDS.add_columns(*RELEASE_NAMES)
    .join(release_commits, release_commits.c.commit_id == commits.c.id)
    .join(releases, releases.c.id == release_commits.c.release_id)
    .order_by(releases.c.id)
    .limit(MOST_RELEASES)
)
_OWNERS = sa.select(*USER_COLUMNS).where(users.c.id.in_(sa.bindparam("ids", expanding=True)))
_SOME_DEPLOYS = DEPLOYS.where(deploys.c.id.in_(sa.bindparam("ids", expanding=True)))


def render_releases(
    connection: Connection,
    rows: Sequence[RowMapping],
    *,
    visible: Collection[int] | None = None,
    projects_of: Mapping[int, Sequence[RowMapping]] | None = None,
) -> list[Json]:
    """One object per row, in order. With `visible` only these projects, their deploys and their releases are named.

    A row with a `for_project` names that project alone (lists with `flatten`). `projects_of`: each release's projects in
    order of their ids, where the caller has read them.
    """
    if not rows:
        return []
    ids = [row["id"] for row in rows]
    if projects_of is None:
        projects_of = _grouped(connection, _PROJECTS, ids)
    authors_of = _grouped(connection, _AUTHORS, [row["id"] for row in rows if row["commit_count"]])
    commits_by_id = _last_commits(connection, [row["last_commit_id"] for row in rows], visible)
    deploy_of = _last_deploys(connection, rows, visible)
    owners = _by_id(connection, _OWNERS, "user_id", [row["owner_id"] for row in rows])
    return [
        {
            **_render_row(row),
            "owner": render_user(owners[row["owner_id"]]) if row["owner_id"] in owners else None,
            "lastCommit": commits_by_id.get(row["last_commit_id"]),
            "lastDeploy": render_deploy(deploy_of[row["id"]]) if row["id"] in deploy_of else None,
            "authors": [render_author(person) for person in authors_of[row["id"]]],
            "projects": [
                render_project(project)
                for project in projects_of[row["id"]]
                if (visible is None or project["id"] in visible) and row.get("for_project") in (None, project["id"])
            ],
        }
        for row in rows
    ]


def _last_commits(
    connection: Connection, wanted: Sequence[int | None], visible: Collection[int] | None
) -> dict[int | None, Json]:
    """The commits by id, each with the releases it is part of."""
    ids = [number for number in set(wanted) if number is not None]
    if not ids:
        return {}
    if len(ids) > 1:
        found = connection.execute(BY_IDS, {"ids": ids}).mappings().all()
        return {
            row["commit_id"]: shown
            for row, shown in zip(found, render_commits(connection, found, visible=visible), strict=True)
        }
    # One release, as every POST answers: one statement for the commit and for where it is part of.
    query = _WITH_RELEASES if visible is None else _WITH_RELEASES.where(within(visible))
    rows = connection.execute(query, {"ids": ids}).mappings().all()
    return {ids[0]: {**render_commit(rows[0]), "releases": [render_release_name(row) for row in rows]}} if rows else {}


def _last_deploys(connection: Connection, rows: Sequence[RowMapping], visible: Collection[int] | None) -> dict[int, RowMapping]:
    """By release; with `visible` the newest one in those projects."""
    if visible is None:
        found = _by_id(connection, _SOME_DEPLOYS, "id", [row["last_deploy_id"] for row in rows])
        return {row["id"]: found[row["last_deploy_id"]] for row in rows if row["last_deploy_id"] in found}
    ids = [row["id"] for row in rows if row["last_deploy_id"] is not None]
    mine = sa.select(last_deploys.c.deploy_id).where(
        last_deploys.c.release_id.in_(ids), last_deploys.c.project_id.in_(sorted(visible))
    )
    query = DEPLOYS.where(deploys.c.id.in_(mine)).order_by(deploys.c.id)
    return {row["release_id"]: row for row in connection.execute(query).mappings()} if ids else {}


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


def render_meta(shown: Json, *, changed: int, artifacts: int, is_bundle: bool) -> Json:
    """A release's header, from the release as shown. `changed`: how many paths its commits changed."""
    without = ("hasHealthData",)
    return {
        "version": shown["version"],
        "versionInfo": shown["versionInfo"],
        "projects": [{key: value for key, value in one.items() if key not in without} for one in shown["projects"]],
        "newGroups": shown["newGroups"],
        "deployCount": shown["deployCount"],
        "commitCount": shown["commitCount"],
        "released": shown["dateReleased"] or shown["dateCreated"],
        "commitFilesChanged": changed,
        "releaseFileCount": artifacts,
        "isArtifactBundle": is_bundle,
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

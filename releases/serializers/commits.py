"""Commits, people and repositories as the API shows them. Reads, never writes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection, RowMapping

from releases.tables.releases import release_commits, releases
from releases.validation.times import render_time

Json = dict[str, Any]

_MOST_RELEASES = 2_000  # named beside one page of commits

_RELEASES_OF = (
    sa.select(
        release_commits.c.commit_id,
        releases.c.version,
        releases.c.ref,
        releases.c.url,
        releases.c.date_released,
        releases.c.date_added,
    )
    .join(releases, releases.c.id == release_commits.c.release_id)
    .where(release_commits.c.commit_id.in_(sa.bindparam("ids", expanding=True)))
    .order_by(releases.c.date_added.desc(), releases.c.id.desc())
    .limit(_MOST_RELEASES)
)


def render_user(row: RowMapping | Mapping[str, Any]) -> Json:
    """A member, from a row with USER_COLUMNS."""
    return {
        "id": str(row["user_id"]),
        "name": row["user_name"] or row["username"],
        "username": row["username"],
        "email": row["user_email"],
        "avatarUrl": None,
        "isActive": True,
    }


def render_author(row: RowMapping) -> Json:
    """A member, else name and e-mail, else nothing."""
    if row["user_id"] is not None:
        return render_user(row)
    if row["author_email"] is None:
        return {}
    return {"name": row["author_name"], "email": row["author_email"]}


def render_commit(row: RowMapping) -> Json:
    return {
        "id": row["key"],
        "message": row["message"],
        "dateCreated": render_time(row["commit_date"]),
        "repository": render_repository(row),
        "author": render_author(row),
        "pullRequest": None,
        "suspectCommitType": "",
    }


def render_repository(row: RowMapping) -> Json:
    """From a row whose columns are called as in COMMITS."""
    known = row["provider"]
    return {
        "id": str(row["repository_id"]),
        "name": row["repository_name"],
        "url": row["repository_url"],
        "provider": {"id": known, "name": known.title()} if known else {"id": "unknown", "name": "Unknown Provider"},
        "status": "active",
        "dateCreated": render_time(row["repository_date"]),
        "integrationId": None,
        "externalSlug": None,
    }


def render_commits(connection: Connection, rows: Sequence[RowMapping]) -> list[Json]:
    """Commits with the releases each is part of."""
    shown = {row["commit_id"]: {**render_commit(row), "releases": []} for row in rows}
    for row in connection.execute(_RELEASES_OF, {"ids": list(shown)}).mappings():
        shown[row["commit_id"]]["releases"].append(
            {
                "version": row["version"],
                "shortVersion": row["version"],
                "ref": row["ref"],
                "url": row["url"],
                "dateReleased": render_time(row["date_released"]),
                "dateCreated": render_time(row["date_added"]),
            }
        )
    return [shown[row["commit_id"]] for row in rows]

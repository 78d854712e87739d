"""Commits, people and repositories as the API shows them. Reads, never writes."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Mapping, Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection, RowMapping

from releases.store.listings import within
from releases.store.selects import RELEASE_NAMES
from releases.tables.releases import release_commits, releases
from releases.validation.times import render_time

Json = dict[str, Any]

MOST_RELEASES = 1_000  # named beside one page of commits, as in the original

_RELEASES_OF = (
    sa.select(release_commits.c.commit_id, *RELEASE_NAMES)
    .join(releases, releases.c.id == release_commits.c.release_id)
    .where(release_commits.c.commit_id.in_(sa.bindparam("ids", expanding=True)))
    .order_by(releases.c.id)
    .limit(MOST_RELEASES)
)


AVATAR: Json = {"avatarType": "letter_avatar", "avatarUuid": None}  # a drawn letter: no pictures are kept


def render_user(row: RowMapping | Mapping[str, Any]) -> Json:
    """A member, from a row with USER_COLUMNS."""
    return {
        "id": str(row["user_id"]),
        "name": row["user_name"] or row["username"],
        "username": row["username"],
        "email": row["user_email"],
        "avatarUrl": None,
        "isActive": True,
        "hasPasswordAuth": False,
        "isManaged": False,
        "dateJoined": render_time(row["user_joined"]),
        "lastLogin": None,
        "has2fa": False,
        "lastActive": None,
        "isSuperuser": False,
        "isStaff": False,
        "experiments": {},
        "emails": [{"id": str(row["user_id"]), "email": row["user_email"], "is_verified": False}],
        "avatar": AVATAR,
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


def render_commits(connection: Connection, rows: Sequence[RowMapping], *, visible: Collection[int] | None = None) -> list[Json]:
    """Commits with the releases each is part of. With `visible` only those of these projects are named."""
    shown = {row["commit_id"]: {**render_commit(row), "releases": []} for row in rows}
    if shown:
        query = _RELEASES_OF if visible is None else _RELEASES_OF.where(within(visible))
        for row in connection.execute(query, {"ids": list(shown)}).mappings():
            shown[row["commit_id"]]["releases"].append(render_release_name(row))
    return [shown[row["commit_id"]] for row in rows]


def render_release_name(row: RowMapping) -> Json:
    """From a row of RELEASE_NAMES."""
    return {
        "version": row["version"],
        "shortVersion": row["version"],
        "ref": row["ref"],
        "url": row["release_url"],
        "dateReleased": render_time(row["date_released"]),
        "dateCreated": render_time(row["release_date"]),
    }


def render_files(rows: Sequence[RowMapping], organization_id: int) -> list[Json]:
    """Changed files, from rows of COMMITS with `path` and `type`."""
    return [
        {
            "id": _file_number(row["commit_id"], row["path"]),
            "orgId": organization_id,
            "author": render_author(row),
            "commitMessage": row["message"],
            "filename": row["path"],
            "type": row["type"],
            "repoName": row["repository_name"],
        }
        for row in rows
    ]


def _file_number(commit_id: int, path: str) -> str:
    """A lasting number: changed files are keyed by commit and path here and have none of their own."""
    digest = hashlib.sha256(f"{commit_id} {path}".encode()).digest()
    return str(int.from_bytes(digest[:6], "big"))

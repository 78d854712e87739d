"""Releases in the database: made or found, linked to projects, changed, removed. The caller holds the transaction."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection, RowMapping

from releases.errors import busy
from releases.store import artifacts
from releases.tables.releases import activities, release_projects, releases
from releases.tables.tenants import projects
from releases.tables.upsert import ignoring, insert_new
from releases.validation.release_version import sort_columns
from releases.validation.requests import NewRelease

_TRIES = 3

_FIND = sa.select(releases).where(
    releases.c.organization_id == sa.bindparam("organization_id"), releases.c.version == sa.bindparam("version")
)
_FIND_LOCKED = _FIND.with_for_update()
_CHANGE = sa.update(releases).where(releases.c.id == sa.bindparam("release_id")).returning(*releases.c)
_PROJECTS_OF = (
    sa.select(projects.c.id, projects.c.slug)
    .join(release_projects, release_projects.c.project_id == projects.c.id)
    .where(release_projects.c.release_id == sa.bindparam("release_id"))
    .order_by(projects.c.slug)
)


def find(connection: Connection, organization_id: int, version: str, *, lock: bool = False) -> RowMapping | None:
    """A release by its name. With `lock` nobody else changes it until this transaction ends (SQLite: nobody can anyway)."""
    if len(version) > 200 or "\0" in version or not _is_storable(version):
        return None
    query = _FIND_LOCKED if lock else _FIND
    return connection.execute(query, {"organization_id": organization_id, "version": version}).mappings().one_or_none()


def _is_storable(text: str) -> bool:
    return text.isascii() or not any("\ud800" <= character <= "\udfff" for character in text)


def create_or_find(
    connection: Connection, organization_id: int, new: NewRelease, extra: dict[str, Any], now: datetime
) -> tuple[RowMapping, bool]:
    """(row, whether it is new). Of two that come at once one waits for the other here, and finds its release.

    Raises Refused (503).
    """
    values = {
        "organization_id": organization_id,
        "version": new.version,
        "is_archived": new.is_archived or False,
        "ref": new.ref,
        "url": new.url,
        "date_added": now,
        "date_released": new.released_at,
        "date_sort": new.released_at or now,
        **sort_columns(new.version),
        **extra,
    }
    statement = ignoring(connection.dialect.name, releases, tuple(releases.c))
    for _ in range(_TRIES):  # one that was in the way may be deleted before it can be read
        made = connection.execute(statement, values).mappings().one_or_none()
        if made is not None:
            return made, True
        found = find(connection, organization_id, new.version, lock=True)
        if found is not None:
            return found, False
    raise busy()


def projects_of(connection: Connection, release_id: int) -> Sequence[RowMapping]:
    """id and slug of each project the release is linked to."""
    return connection.execute(_PROJECTS_OF, {"release_id": release_id}).mappings().all()


def link_projects(connection: Connection, release_id: int, project_ids: Collection[int]) -> set[int]:
    """The projects that were not linked before."""
    rows = [{"release_id": release_id, "project_id": project_id} for project_id in sorted(project_ids)]
    return {row.project_id for row in insert_new(connection, release_projects, rows, [release_projects.c.project_id])}


def record_released(connection: Connection, release_id: int, project_ids: Collection[int], now: datetime) -> None:
    rows = [
        {"release_id": release_id, "project_id": project_id, "kind": "release", "date_added": now}
        for project_id in sorted(project_ids)
    ]
    if rows:
        connection.execute(sa.insert(activities), rows)


def change(connection: Connection, release_id: int, values: dict[str, Any]) -> RowMapping:
    """Write columns of one release and return its row."""
    return connection.execute(_CHANGE, {**values, "release_id": release_id}).mappings().one()


def remove(connection: Connection, row: RowMapping) -> None:
    """With everything that hangs on it, and the bundles that were uploaded for it alone."""
    connection.execute(sa.delete(releases).where(releases.c.id == row["id"]))
    artifacts.forget_version(connection, row["organization_id"], row["version"])

"""Deploys of a release: recorded and listed. The caller holds the transaction."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection, RowMapping

from releases.http.pagination import Cursor
from releases.store import releases
from releases.store.listings import Page, page_by_number
from releases.store.selects import DEPLOYS
from releases.tables.releases import deploys, environments, last_deploys
from releases.tables.upsert import insert_new
from releases.validation.requests import NewDeploy

MOST_LISTED = 1_000


def record(
    connection: Connection, release: RowMapping, new: NewDeploy, project_ids: Collection[int], now: datetime
) -> RowMapping:
    """Always a new one; it becomes the last of its environment in each of the projects."""
    environment_id = _ensure_environment(connection, release["organization_id"], new.environment)
    values = {
        "release_id": release["id"],
        "environment_id": environment_id,
        "name": new.name,
        "url": new.url,
        "date_started": new.started_at,
        "date_finished": new.finished_at or now,
        "date_added": now,
    }
    deploy_id = connection.execute(sa.insert(deploys).values(values).returning(deploys.c.id)).scalar_one()
    count = (release["deploy_count"] or 0) + 1  # the caller holds the release's lock
    releases.change(connection, release["id"], {"deploy_count": count, "last_deploy_id": deploy_id})
    _remember_last(connection, release["id"], environment_id, deploy_id, sorted(project_ids))
    return connection.execute(DEPLOYS.where(deploys.c.id == deploy_id)).mappings().one()


def _ensure_environment(connection: Connection, organization_id: int, name: str) -> int:
    values = {"organization_id": organization_id, "name": name}
    if made := insert_new(connection, environments, [values], [environments.c.id]):
        return int(made[0].id)
    query = sa.select(environments.c.id).where(environments.c.organization_id == organization_id, environments.c.name == name)
    return int(connection.execute(query).scalar_one())


def _remember_last(
    connection: Connection, release_id: int, environment_id: int, deploy_id: int, project_ids: Sequence[int]
) -> None:
    here = sa.and_(last_deploys.c.release_id == release_id, last_deploys.c.environment_id == environment_id)
    connection.execute(sa.delete(last_deploys).where(here, last_deploys.c.project_id.in_(project_ids)))
    rows = [
        {"release_id": release_id, "project_id": project, "environment_id": environment_id, "deploy_id": deploy_id}
        for project in project_ids
    ]
    if rows:
        connection.execute(sa.insert(last_deploys), rows)


def _last_of(release_id: int, project_ids: Collection[int] | None) -> sa.Select[Any]:
    """The last deploy per project and environment, newest finished first; of all projects or of some."""
    mine = sa.select(last_deploys.c.deploy_id).where(last_deploys.c.release_id == release_id)
    if project_ids is not None:
        mine = mine.where(last_deploys.c.project_id.in_(sorted(project_ids)))
    return DEPLOYS.where(deploys.c.id.in_(mine)).order_by(deploys.c.date_finished.desc(), deploys.c.id.desc())


def list_last(connection: Connection, release_id: int, project_ids: Collection[int] | None) -> Sequence[RowMapping]:
    """The newest of them, as many as a page for people shows."""
    return connection.execute(_last_of(release_id, project_ids).limit(MOST_LISTED)).mappings().all()


def page_of_last(
    connection: Connection, release_id: int, project_ids: Collection[int] | None, cursor: Cursor | None, size: int
) -> Page:
    return page_by_number(connection, _last_of(release_id, project_ids), cursor, size)

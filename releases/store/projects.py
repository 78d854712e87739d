"""Reads about projects: a page of them, and what was released and deployed last. Never writes."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection, RowMapping

from releases.http.pagination import Cursor
from releases.store.listings import Page, page_by_number
from releases.tables.releases import deploys, environments, last_deploys, release_projects, releases
from releases.tables.tenants import organizations, projects

BY_SLUG = (projects.c.slug, projects.c.id)
NEWEST_FIRST = (projects.c.date_added.desc(), projects.c.id.desc())
MOST = 1_000  # in an answer without pages
_KEYED = re.compile(r"([a-z_]+):(\S+)")
_COLUMNS = {"slug": projects.c.slug, "name": projects.c.name, "platform": projects.c.platform}

_ORGANIZATION = sa.select(organizations).where(organizations.c.id == sa.bindparam("id"))
_OF_ORGANIZATION = sa.select(projects).where(projects.c.organization_id == sa.bindparam("organization_id"))
_NEWEST_RELEASE = (
    sa.select(sa.func.max(release_projects.c.release_id))
    .where(release_projects.c.project_id == projects.c.id)
    .correlate(projects)
    .scalar_subquery()
)
_LATEST = (
    sa.select(projects.c.id, releases.c.version)
    .select_from(projects)
    .join(releases, releases.c.id == _NEWEST_RELEASE)
    .where(projects.c.id.in_(sa.bindparam("ids", expanding=True)))
)
_LAST_IDS = (
    sa.select(
        last_deploys.c.project_id, last_deploys.c.environment_id, sa.func.max(last_deploys.c.deploy_id).label("deploy_id")
    )
    .where(last_deploys.c.project_id.in_(sa.bindparam("ids", expanding=True)))
    .group_by(last_deploys.c.project_id, last_deploys.c.environment_id)
    .subquery()
)
_LAST_DEPLOYS = (
    sa.select(_LAST_IDS.c.project_id, environments.c.name, deploys.c.date_finished, releases.c.version)
    .select_from(_LAST_IDS)
    .join(environments, environments.c.id == _LAST_IDS.c.environment_id)
    .join(deploys, deploys.c.id == _LAST_IDS.c.deploy_id)
    .join(releases, releases.c.id == deploys.c.release_id)
    .order_by(environments.c.id)
)


def find_organization(connection: Connection, organization_id: int) -> RowMapping:
    return connection.execute(_ORGANIZATION, {"id": organization_id}).mappings().one()


def search(
    connection: Connection,
    organization_id: int,
    visible: Collection[int] | None,
    text: str,
    order: Sequence[sa.ColumnElement[Any]],
    cursor: Cursor | None,
    size: int,
) -> Page:
    """The organization's projects; `text`: part of a slug or name, or `slug:`, `name:`, `id:`, `platform:` and a value."""
    query = _OF_ORGANIZATION.params(organization_id=organization_id).order_by(*order)
    if visible is not None:
        query = query.where(projects.c.id.in_(sorted(visible)))
    for clause in _matching(text):
        query = query.where(clause)
    return page_by_number(connection, query, cursor, size)


def all_of(connection: Connection, organization_id: int, visible: Collection[int] | None) -> Sequence[RowMapping]:
    """Every project of the organization that is visible, by slug."""
    query = _OF_ORGANIZATION.params(organization_id=organization_id).order_by(*BY_SLUG).limit(MOST)
    return connection.execute(query if visible is None else query.where(projects.c.id.in_(sorted(visible)))).mappings().all()


def _matching(text: str) -> list[sa.ColumnElement[bool]]:
    clauses = [_keyed(match[1], match[2]) for match in _KEYED.finditer(text)]
    if free := _KEYED.sub(" ", text).split():
        words = " ".join(free)
        clauses.append(projects.c.slug.icontains(words, autoescape=True) | projects.c.name.icontains(words, autoescape=True))
    return clauses


def _keyed(key: str, value: str) -> sa.ColumnElement[bool]:
    """A key that is not known finds nothing, as in the original."""
    if key == "id" and value.isascii() and value.isdigit() and len(value) < 19:
        return projects.c.id == int(value)
    return _COLUMNS[key] == value if key in _COLUMNS else sa.false()


def latest_releases(connection: Connection, project_ids: Sequence[int]) -> dict[int, str]:
    """The version created last, by project."""
    return {row.id: row.version for row in connection.execute(_LATEST, {"ids": list(project_ids)})}


def latest_deploys(connection: Connection, project_ids: Sequence[int]) -> dict[int, list[RowMapping]]:
    """For each project its environments (`name`) with `version` and `date_finished` of the last deploy there."""
    found: dict[int, list[RowMapping]] = {}
    for row in connection.execute(_LAST_DEPLOYS, {"ids": list(project_ids)}).mappings():
        found.setdefault(row["project_id"], []).append(row)
    return found


def list_environments(
    connection: Connection, organization_id: int, project_ids: Collection[int] | None
) -> Sequence[RowMapping]:
    """Environments that something was deployed to, by name; of all projects or of some."""
    used = sa.select(sa.literal(1)).where(last_deploys.c.environment_id == environments.c.id)
    if project_ids is not None:
        used = used.where(last_deploys.c.project_id.in_(sorted(project_ids)))
    query = sa.select(environments).where(environments.c.organization_id == organization_id, used.exists())
    return connection.execute(query.order_by(environments.c.name, environments.c.id)).mappings().all()

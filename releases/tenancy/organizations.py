"""Organizations, projects and members: made and found. Decides nothing about who may see them."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.engine import Connection, RowMapping

from releases.tables.releases import repositories
from releases.tables.tenants import members, organizations, project_redirects, projects, users
from releases.tables.upsert import insert_new

_SLUG = re.compile(r"[A-Za-z0-9_-]{1,50}")
_CHUNK = 500  # names in one IN (...): both databases bound their parameters
_LARGEST_ID = 2**63 - 1


def slug_fault(slug: str) -> str | None:
    """Why this cannot be a slug, as a sentence's end; None when it can."""
    if not _SLUG.fullmatch(slug):
        return f"must be 1 to 50 letters, digits, hyphens or underscores, not {slug[:60]!r}"
    if slug.isdigit():
        return f"must not be a bare number: {slug!r} would be taken for an id"
    return None


def ensure_organization(connection: Connection, slug: str, now: datetime, name: str = "") -> tuple[int, bool]:
    """(id, whether it is new)."""
    values = {"slug": slug, "name": name or slug, "date_added": now}
    made = insert_new(connection, organizations, [values], [organizations.c.id])
    if made:
        return made[0].id, True
    return connection.execute(sa.select(organizations.c.id).where(organizations.c.slug == slug)).scalar_one(), False


def ensure_project(connection: Connection, organization_id: int, slug: str, now: datetime, name: str = "") -> tuple[int, bool]:
    """(id, whether it is new). A slug that had been left behind by a renamed project is this project's from now on."""
    values = {"organization_id": organization_id, "slug": slug, "name": name or slug, "date_added": now}
    made = insert_new(connection, projects, [values], [projects.c.id])
    if not made:
        query = sa.select(projects.c.id).where(projects.c.organization_id == organization_id, projects.c.slug == slug)
        return connection.execute(query).scalar_one(), False
    forget_redirect(connection, organization_id, slug)
    return made[0].id, True


def forget_redirect(connection: Connection, organization_id: int, slug: str) -> None:
    table = project_redirects
    connection.execute(sa.delete(table).where(table.c.organization_id == organization_id, table.c.slug == slug))


def rename_project(connection: Connection, organization_id: int, slug: str, new_slug: str) -> bool:
    """Give a project another slug and remember the old one. False: no such project. Raises IntegrityError when taken."""
    query = sa.select(projects.c.id).where(projects.c.organization_id == organization_id, projects.c.slug == slug)
    project_id = connection.execute(query).scalar_one_or_none()
    if project_id is None:
        return False
    connection.execute(sa.update(projects).where(projects.c.id == project_id).values(slug=new_slug))
    for old in (slug, new_slug):
        forget_redirect(connection, organization_id, old)
    redirect = {"organization_id": organization_id, "slug": slug, "project_id": project_id}
    connection.execute(sa.insert(project_redirects).values(redirect))
    return True


def ensure_member(connection: Connection, organization_id: int, email: str, now: datetime) -> int:
    """The id of the user of that e-mail, who is a member of the organization from now on."""
    values = {"username": email, "email": email, "name": "", "is_active": True, "date_added": now}
    insert_new(connection, users, [values], [users.c.id])
    user_id: int = connection.execute(sa.select(users.c.id).where(users.c.username == email)).scalar_one()
    insert_new(connection, members, [{"organization_id": organization_id, "user_id": user_id}], [members.c.user_id])
    return user_id


def ensure_repository(
    connection: Connection, organization_id: int, name: str, url: str | None, provider: str | None, now: datetime
) -> tuple[int, bool]:
    """(id, whether it is new); of one that is there, what is given of URL and provider is written."""
    values = {"organization_id": organization_id, "name": name, "url": url, "provider": provider, "date_added": now}
    if made := insert_new(connection, repositories, [values], [repositories.c.id]):
        return made[0].id, True
    mine = sa.and_(repositories.c.organization_id == organization_id, repositories.c.name == name)
    changed = {key: value for key, value in (("url", url), ("provider", provider)) if value}
    if changed:
        connection.execute(sa.update(repositories).where(mine).values(changed))
    return connection.execute(sa.select(repositories.c.id).where(mine)).scalar_one(), False


def list_organizations(connection: Connection) -> Sequence[RowMapping]:
    return connection.execute(sa.select(organizations).order_by(organizations.c.slug)).mappings().all()


def list_projects(connection: Connection, organization_id: int) -> Sequence[RowMapping]:
    query = sa.select(projects).where(projects.c.organization_id == organization_id).order_by(projects.c.slug)
    return connection.execute(query).mappings().all()


_PROJECTS = sa.select(projects).where(projects.c.organization_id == sa.bindparam("organization_id"))
_PROJECTS_BY_SLUG = _PROJECTS.where(projects.c.slug.in_(sa.bindparam("wanted", expanding=True)))
_PROJECTS_BY_ID = _PROJECTS.where(projects.c.id.in_(sa.bindparam("wanted", expanding=True)))


def find_projects(connection: Connection, organization_id: int, named: Collection[int | str]) -> dict[int | str, RowMapping]:
    """The organization's projects under the slug (text) or id (number) they were asked for by."""
    ids = [name for name in named if isinstance(name, int) and 0 < name <= _LARGEST_ID]
    slugs = [name for name in named if isinstance(name, str) and _SLUG.fullmatch(name)]  # all others no database has
    rows: list[RowMapping] = []
    for query, wanted in ((_PROJECTS_BY_SLUG, slugs), (_PROJECTS_BY_ID, ids)):
        for start in range(0, len(wanted), _CHUNK):
            some = {"organization_id": organization_id, "wanted": wanted[start : start + _CHUNK]}
            rows += connection.execute(query, some).mappings().all()
    keyed: dict[int | str, RowMapping] = {row["slug"]: row for row in rows} | {row["id"]: row for row in rows}
    return {name: keyed[name] for name in named if name in keyed}


def find_redirect(connection: Connection, organization_id: int, slug: str) -> RowMapping | None:
    """`id` and `slug` of the project formerly called `slug`."""
    if not _SLUG.fullmatch(slug):
        return None
    table = project_redirects
    query = sa.select(projects.c.id, projects.c.slug).join(table, table.c.project_id == projects.c.id)
    query = query.where(table.c.organization_id == organization_id, table.c.slug == slug)
    return connection.execute(query).mappings().one_or_none()


def find_user(connection: Connection, named: object) -> RowMapping | None:
    """By user name, or by id where it is a number or all digits."""
    text = str(named)
    if text.isascii() and text.isdigit() and int(text[:20]) <= _LARGEST_ID:
        condition = users.c.id == int(text[:20])
    elif len(text) <= 128 and "\0" not in text and text.isprintable():
        condition = users.c.username == text
    else:
        return None
    return connection.execute(sa.select(users).where(condition)).mappings().one_or_none()


def is_member(connection: Connection, organization_id: int, user_id: int) -> bool:
    query = sa.select(members.c.user_id).where(members.c.organization_id == organization_id, members.c.user_id == user_id)
    return connection.execute(query).first() is not None

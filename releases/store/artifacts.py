"""Release files and bundles in the database. The caller holds the transaction; contents are on disk before their rows."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection, RowMapping

from releases.http.pagination import Cursor
from releases.store.blobs import portions
from releases.store.listings import Page, page_by_number, within_projects
from releases.tables.artifacts import artifacts, blobs, bundle_projects, bundle_releases, bundles
from releases.tables.releases import releases
from releases.tables.upsert import add_new, insert_new

_SHOWN = (blobs.c.sha1, blobs.c.size, blobs.c.place)


@dataclass(frozen=True, slots=True, kw_only=True)
class NewArtifact:
    """A file of a release or bundle. `dist` empty: none."""

    name: str
    dist: str
    path: str
    kind: str
    debug_id: str | None
    headers: Mapping[str, str]
    blob_id: int


def find_bundle(connection: Connection, organization_id: int, checksum: str) -> RowMapping | None:
    query = sa.select(bundles).where(bundles.c.organization_id == organization_id, bundles.c.checksum == checksum)
    return connection.execute(query).mappings().one_or_none()


def create_bundle(connection: Connection, values: Mapping[str, Any]) -> int | None:
    """The id; None where another request has made it meanwhile."""
    made = insert_new(connection, bundles, [values], [bundles.c.id])
    return int(made[0].id) if made else None


def link_bundle(
    connection: Connection, organization_id: int, bundle_id: int, project_ids: Collection[int], version: str | None, dist: str
) -> None:
    """Say which projects, and which release, the bundle is for: beside those it was for before."""
    add_new(connection, bundle_projects, [{"bundle_id": bundle_id, "project_id": one} for one in sorted(project_ids)])
    if version is not None:
        key = {"organization_id": organization_id, "version": version, "dist": dist, "bundle_id": bundle_id}
        add_new(connection, bundle_releases, [key])


def add(
    connection: Connection,
    new: Sequence[NewArtifact],
    now: datetime,
    *,
    release_id: int | None = None,
    bundle_id: int | None = None,
) -> None:
    """Files of a bundle, or of a release, where one of the same name and dist is replaced."""
    rows = [
        {
            "release_id": release_id,
            "bundle_id": bundle_id,
            "ident": ident(one.name, one.dist) if bundle_id is None else ident(one.path, ""),
            **{name: getattr(one, name) for name in ("name", "dist", "path", "kind", "debug_id", "blob_id")},
            "headers": dict(one.headers),
            "date_added": now,
        }
        for one in new
    ]
    if release_id is not None:
        for some in portions([row["ident"] for row in rows]):
            mine = sa.and_(artifacts.c.release_id == release_id, artifacts.c.ident.in_(some))
            connection.execute(sa.delete(artifacts).where(mine))
    if rows:
        connection.execute(sa.insert(artifacts), rows)


def ident(name: str, dist: str) -> str:
    return hashlib.sha1(f"{name}\0{dist}".encode("utf-8", "surrogatepass"), usedforsecurity=False).hexdigest()


_FILES = sa.select(artifacts, *_SHOWN).join(blobs, blobs.c.id == artifacts.c.blob_id)


def has_file(connection: Connection, release_id: int, name: str, dist: str) -> bool:
    query = sa.select(artifacts.c.id).where(artifacts.c.release_id == release_id, artifacts.c.ident == ident(name, dist))
    return connection.execute(query).first() is not None


def find_file(connection: Connection, number: int, release_id: int) -> RowMapping | None:
    query = _FILES.where(artifacts.c.id == number, artifacts.c.release_id == release_id)
    return connection.execute(query).mappings().one_or_none()


def find_named(connection: Connection, release_id: int, name: str, dist: str) -> RowMapping:
    query = _FILES.where(artifacts.c.release_id == release_id, artifacts.c.ident == ident(name, dist))
    return connection.execute(query).mappings().one()


def find_path(connection: Connection, bundle_id: int, path: str) -> RowMapping | None:
    query = _FILES.where(artifacts.c.bundle_id == bundle_id, artifacts.c.ident == ident(path, ""))
    return connection.execute(query).mappings().one_or_none()


def files_of_release(
    connection: Connection, release_id: int, texts: Sequence[str], checksums: Sequence[str], cursor: Cursor | None, size: int
) -> Page:
    """By name; those whose name holds one of the texts and whose SHA-1 is one of the checksums, where any are given."""
    query = _FILES.where(artifacts.c.release_id == release_id).order_by(artifacts.c.name, artifacts.c.id)
    if texts:
        query = query.where(sa.or_(*(artifacts.c.name.icontains(one, autoescape=True) for one in texts)))
    if checksums:
        query = query.where(blobs.c.sha1.in_(checksums))
    return page_by_number(connection, query, cursor, size)


def files_of_bundle(connection: Connection, bundle_id: int, text: str, cursor: Cursor | None, size: int) -> Page:
    """By path; those whose address or debug id holds the text."""
    query = _FILES.where(artifacts.c.bundle_id == bundle_id).order_by(artifacts.c.path, artifacts.c.id)
    if text:
        named = artifacts.c.name.icontains(text, autoescape=True)
        query = query.where(named | artifacts.c.debug_id.icontains(text, autoescape=True))
    return page_by_number(connection, query, cursor, size)


def rename_file(connection: Connection, number: int, name: str, dist: str) -> None:
    values = {"name": name, "ident": ident(name, dist)}
    connection.execute(sa.update(artifacts).where(artifacts.c.id == number).values(values))


def remove_file(connection: Connection, number: int) -> None:
    connection.execute(sa.delete(artifacts).where(artifacts.c.id == number))


def remove_files(connection: Connection, release_id: int) -> None:
    connection.execute(sa.delete(artifacts).where(artifacts.c.release_id == release_id))


def archives_of_project(
    connection: Connection, project_id: int, text: str, cursor: Cursor | None, size: int, *, is_oldest_first: bool
) -> Page:
    """A project's releases by the time of their creation, each with the number of its own files, `files`; those whose version
    holds the text."""
    files = sa.select(sa.func.count()).where(artifacts.c.release_id == releases.c.id).correlate(releases).scalar_subquery()
    query: sa.Select[Any] = sa.select(releases.c.id, releases.c.version, releases.c.date_added, files.label("files"))
    query = within_projects(query, [project_id])
    if text:
        query = query.where(releases.c.version.icontains(text, autoescape=True))
    order = [column.asc() if is_oldest_first else column.desc() for column in (releases.c.date_added, releases.c.id)]
    return page_by_number(connection, query.order_by(*order), cursor, size)


def bundles_of_project(
    connection: Connection, project_id: int, text: str, order: sa.ColumnElement[Any], cursor: Cursor | None, size: int
) -> Page:
    """Those of a project; `text`: a release, dist, bundle id or debug id."""
    mine = sa.select(bundle_projects.c.bundle_id).where(bundle_projects.c.project_id == project_id)
    query = sa.select(bundles).where(bundles.c.id.in_(mine)).order_by(order, bundles.c.id.desc())
    if text:
        named = sa.select(bundle_releases.c.bundle_id).where(
            (bundle_releases.c.version == text) | (bundle_releases.c.dist == text)
        )
        debugged = sa.select(artifacts.c.bundle_id).where(
            artifacts.c.bundle_id == bundles.c.id, artifacts.c.debug_id == text.lower()
        )
        query = query.where(bundles.c.id.in_(named) | (bundles.c.bundle_id == text.lower()) | debugged.exists())
    return page_by_number(connection, query, cursor, size)


def find_project_bundle(connection: Connection, project_id: int, bundle_id: str) -> RowMapping | None:
    """The newest of that bundle id which the project has."""
    query = sa.select(bundles).join(bundle_projects, bundle_projects.c.bundle_id == bundles.c.id)
    query = query.where(bundle_projects.c.project_id == project_id, bundles.c.bundle_id == bundle_id)
    return connection.execute(query.order_by(bundles.c.id.desc()).limit(1)).mappings().one_or_none()


def releases_of(connection: Connection, bundle_ids: Sequence[int]) -> dict[int, list[RowMapping]]:
    """`version` and `dist` of the releases that bundles are for."""
    found: dict[int, list[RowMapping]] = {}
    query = sa.select(bundle_releases).where(bundle_releases.c.bundle_id.in_(bundle_ids))
    for row in connection.execute(query.order_by(bundle_releases.c.version, bundle_releases.c.dist)).mappings():
        found.setdefault(row["bundle_id"], []).append(row)
    return found


def unlink_project(connection: Connection, bundle_id: int, project_id: int) -> None:
    """Take a bundle from a project; the last one takes it away."""
    mine = sa.and_(bundle_projects.c.bundle_id == bundle_id, bundle_projects.c.project_id == project_id)
    connection.execute(sa.delete(bundle_projects).where(mine))
    others = sa.select(bundle_projects.c.project_id).where(bundle_projects.c.bundle_id == bundle_id).exists()
    connection.execute(sa.delete(bundles).where(bundles.c.id == bundle_id, ~others))


def forget_version(connection: Connection, organization_id: int, version: str) -> None:
    """Take away the bundles that are for this release alone, and what others say of it."""
    mine = sa.and_(bundle_releases.c.organization_id == organization_id, bundle_releases.c.version == version)
    ids = list(connection.execute(sa.select(bundle_releases.c.bundle_id).where(mine).distinct()).scalars())
    connection.execute(sa.delete(bundle_releases).where(mine))
    for some in portions(ids):
        others = sa.select(bundle_releases.c.bundle_id).where(bundle_releases.c.bundle_id == bundles.c.id).exists()
        connection.execute(sa.delete(bundles).where(bundles.c.id.in_(some), ~others))


def _of_version(organization_id: int, version: str, release_id: int | None, visible: Collection[int] | None) -> sa.Select[Any]:
    """Every file of a release: its own, and those of bundles that are for it, in all projects or some."""
    mine = sa.select(bundle_releases.c.bundle_id).where(
        bundle_releases.c.organization_id == organization_id, bundle_releases.c.version == version
    )
    if visible is not None:
        seen = sa.select(bundle_projects.c.bundle_id).where(bundle_projects.c.project_id.in_(sorted(visible)))
        mine = mine.where(bundle_releases.c.bundle_id.in_(seen))
    belongs = artifacts.c.bundle_id.in_(mine)
    return _FILES.where(belongs if release_id is None else belongs | (artifacts.c.release_id == release_id))


def totals(
    connection: Connection, organization_id: int, version: str, release_id: int | None, visible: Collection[int] | None = None
) -> tuple[int, int]:
    """(files, bytes) of a release."""
    found = _of_version(organization_id, version, release_id, visible).subquery()
    row = connection.execute(sa.select(sa.func.count(), sa.func.coalesce(sa.func.sum(found.c.size), 0))).one()
    return int(row[0]), int(row[1])


def count_own(connection: Connection, release_id: int) -> int:
    query = sa.select(sa.func.count()).select_from(artifacts).where(artifacts.c.release_id == release_id)
    return int(connection.execute(query).scalar_one())


def list_of_version(
    connection: Connection, organization_id: int, version: str, release_id: int, visible: Collection[int] | None, most: int
) -> Sequence[RowMapping]:
    query = _of_version(organization_id, version, release_id, visible).order_by(artifacts.c.name, artifacts.c.id).limit(most)
    return connection.execute(query).mappings().all()


def find_of_version(
    connection: Connection,
    organization_id: int,
    version: str,
    release_id: int,
    visible: Collection[int] | None,
    number: int,
) -> RowMapping | None:
    query = _of_version(organization_id, version, release_id, visible).where(artifacts.c.id == number)
    return connection.execute(query).mappings().one_or_none()


def totals_of_organization(connection: Connection, organization_id: int) -> tuple[int, int]:
    """(files, bytes) of its bundles and releases; a content that several of them have counts for each."""
    mine = sa.select(bundles.c.id).where(bundles.c.organization_id == organization_id)
    own = sa.select(releases.c.id).where(releases.c.organization_id == organization_id)
    belongs = artifacts.c.bundle_id.in_(mine) | artifacts.c.release_id.in_(own)
    found = sa.select(sa.func.count(), sa.func.coalesce(sa.func.sum(blobs.c.size), 0)).join_from(artifacts, blobs)
    row = connection.execute(found.where(belongs)).one()
    return int(row[0]), int(row[1])

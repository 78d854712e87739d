"""The tables of release files and bundles; runs no statement. Contents lie on disk and are named by rel_blobs."""

from __future__ import annotations

import sqlalchemy as sa

from releases.tables.tenants import metadata, moment, reference, row_id

blobs = sa.Table(
    "rel_blobs",
    metadata,
    row_id(),
    sa.Column("sha256", sa.String(64), nullable=False, unique=True),
    sa.Column("sha1", sa.String(40), nullable=False),
    sa.Column("size", sa.BigInteger, nullable=False),
    sa.Column("place", sa.String(100), nullable=False),
    moment(),
)

chunks = sa.Table(
    "rel_chunks",  # what an organization has uploaded lately, to be assembled
    metadata,
    reference("organization_id", "rel_organizations", key=True),
    sa.Column("sha1", sa.String(40), primary_key=True),
    reference("blob_id", "rel_blobs", on_delete="RESTRICT"),
    moment(),
    sa.Index("ix_rel_chunks_blob_id", "blob_id"),
    sa.Index("ix_rel_chunks_date_added", "date_added"),
)

bundles = sa.Table(
    "rel_bundles",
    metadata,
    row_id(),
    reference("organization_id", "rel_organizations"),
    sa.Column("checksum", sa.String(40), nullable=False),  # SHA-1 of the archive as sent
    sa.Column("bundle_id", sa.String(36), nullable=False),
    sa.Column("file_count", sa.Integer, nullable=False),
    sa.Column("size", sa.BigInteger, nullable=False),
    moment(),
    moment("date_modified"),
    sa.UniqueConstraint("organization_id", "checksum"),
    sa.Index("ix_rel_bundles_organization_id_bundle_id", "organization_id", "bundle_id"),
    sqlite_autoincrement=True,
)

bundle_projects = sa.Table(
    "rel_bundle_projects",
    metadata,
    reference("bundle_id", "rel_bundles", key=True),
    reference("project_id", "rel_projects", key=True),
    sa.Index("ix_rel_bundle_projects_project_id_bundle_id", "project_id", "bundle_id"),
)

bundle_releases = sa.Table(
    "rel_bundle_releases",  # by name: a bundle may come before its release
    metadata,
    reference("organization_id", "rel_organizations", key=True),
    sa.Column("version", sa.String(200), primary_key=True),
    sa.Column("dist", sa.String(64), primary_key=True),  # empty: none
    reference("bundle_id", "rel_bundles", key=True),
    sa.Index("ix_rel_bundle_releases_bundle_id", "bundle_id"),
)

artifacts = sa.Table(
    "rel_artifacts",  # a file of a release, or of a bundle
    metadata,
    row_id(),
    reference("release_id", "rel_releases", nullable=True),
    reference("bundle_id", "rel_bundles", nullable=True),
    sa.Column("ident", sa.String(40), nullable=False),  # SHA-1 of name and dist, or of the path: names are long
    sa.Column("name", sa.String(1024), nullable=False),
    sa.Column("dist", sa.String(64), nullable=False),
    sa.Column("path", sa.String(1024), nullable=False),
    sa.Column("kind", sa.String(32), nullable=False),
    sa.Column("debug_id", sa.String(36)),
    sa.Column("headers", sa.JSON, nullable=False),
    reference("blob_id", "rel_blobs", on_delete="RESTRICT"),
    moment(),
    sa.UniqueConstraint("release_id", "ident"),
    sa.UniqueConstraint("bundle_id", "ident"),
    sa.Index("ix_rel_artifacts_blob_id", "blob_id"),
    sqlite_autoincrement=True,
)

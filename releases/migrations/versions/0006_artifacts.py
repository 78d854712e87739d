"""Files of releases and bundles: contents, chunks, what they are called and where they belong. Only new tables."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from shared.infra.database import UtcDateTime

revision = "r0006"
down_revision = "r0005"
branch_labels = None
depends_on = None

ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def _reference(table: str, name: str, target: str, *, on_delete: str = "CASCADE") -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint([name], [f"{target}.id"], name=op.f(f"fk_{table}_{name}"), ondelete=on_delete)


def upgrade() -> None:
    op.create_table(
        "rel_blobs",
        sa.Column("id", ID, autoincrement=True, nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("sha1", sa.String(length=40), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("place", sa.String(length=100), nullable=False),
        sa.Column("date_added", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_rel_blobs")),
        sa.UniqueConstraint("sha256", name=op.f("uq_rel_blobs_sha256")),
    )
    op.create_table(
        "rel_chunks",
        sa.Column("organization_id", ID, nullable=False),
        sa.Column("sha1", sa.String(length=40), nullable=False),
        sa.Column("blob_id", ID, nullable=False),
        sa.Column("date_added", UtcDateTime(), nullable=False),
        _reference("rel_chunks", "organization_id", "rel_organizations"),
        _reference("rel_chunks", "blob_id", "rel_blobs", on_delete="RESTRICT"),
        sa.PrimaryKeyConstraint("organization_id", "sha1", name=op.f("pk_rel_chunks")),
    )
    op.create_index("ix_rel_chunks_blob_id", "rel_chunks", ["blob_id"], unique=False)
    op.create_index("ix_rel_chunks_date_added", "rel_chunks", ["date_added"], unique=False)
    op.create_table(
        "rel_bundles",
        sa.Column("id", ID, autoincrement=True, nullable=False),
        sa.Column("organization_id", ID, nullable=False),
        sa.Column("checksum", sa.String(length=40), nullable=False),
        sa.Column("bundle_id", sa.String(length=36), nullable=False),
        sa.Column("file_count", sa.Integer(), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("date_added", UtcDateTime(), nullable=False),
        sa.Column("date_modified", UtcDateTime(), nullable=False),
        _reference("rel_bundles", "organization_id", "rel_organizations"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_rel_bundles")),
        sa.UniqueConstraint("organization_id", "checksum", name=op.f("uq_rel_bundles_organization_id_checksum")),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_rel_bundles_organization_id_bundle_id", "rel_bundles", ["organization_id", "bundle_id"], unique=False)
    op.create_table(
        "rel_bundle_projects",
        sa.Column("bundle_id", ID, nullable=False),
        sa.Column("project_id", ID, nullable=False),
        _reference("rel_bundle_projects", "bundle_id", "rel_bundles"),
        _reference("rel_bundle_projects", "project_id", "rel_projects"),
        sa.PrimaryKeyConstraint("bundle_id", "project_id", name=op.f("pk_rel_bundle_projects")),
    )
    op.create_index(
        "ix_rel_bundle_projects_project_id_bundle_id", "rel_bundle_projects", ["project_id", "bundle_id"], unique=False
    )
    op.create_table(
        "rel_bundle_releases",
        sa.Column("organization_id", ID, nullable=False),
        sa.Column("version", sa.String(length=200), nullable=False),
        sa.Column("dist", sa.String(length=64), nullable=False),
        sa.Column("bundle_id", ID, nullable=False),
        _reference("rel_bundle_releases", "organization_id", "rel_organizations"),
        _reference("rel_bundle_releases", "bundle_id", "rel_bundles"),
        sa.PrimaryKeyConstraint("organization_id", "version", "dist", "bundle_id", name=op.f("pk_rel_bundle_releases")),
    )
    op.create_index("ix_rel_bundle_releases_bundle_id", "rel_bundle_releases", ["bundle_id"], unique=False)
    op.create_table(
        "rel_artifacts",
        sa.Column("id", ID, autoincrement=True, nullable=False),
        sa.Column("release_id", ID, nullable=True),
        sa.Column("bundle_id", ID, nullable=True),
        sa.Column("ident", sa.String(length=40), nullable=False),
        sa.Column("name", sa.String(length=1024), nullable=False),
        sa.Column("dist", sa.String(length=64), nullable=False),
        sa.Column("path", sa.String(length=1024), nullable=False),
        sa.Column("kind", sa.String(length=32), nullable=False),
        sa.Column("debug_id", sa.String(length=36), nullable=True),
        sa.Column("headers", sa.JSON(), nullable=False),
        sa.Column("blob_id", ID, nullable=False),
        sa.Column("date_added", UtcDateTime(), nullable=False),
        _reference("rel_artifacts", "release_id", "rel_releases"),
        _reference("rel_artifacts", "bundle_id", "rel_bundles"),
        _reference("rel_artifacts", "blob_id", "rel_blobs", on_delete="RESTRICT"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_rel_artifacts")),
        sa.UniqueConstraint("release_id", "ident", name=op.f("uq_rel_artifacts_release_id_ident")),
        sa.UniqueConstraint("bundle_id", "ident", name=op.f("uq_rel_artifacts_bundle_id_ident")),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_rel_artifacts_blob_id", "rel_artifacts", ["blob_id"], unique=False)


def downgrade() -> None:
    for table in ("artifacts", "bundle_releases", "bundle_projects", "bundles", "chunks", "blobs"):
        op.drop_table(f"rel_{table}")

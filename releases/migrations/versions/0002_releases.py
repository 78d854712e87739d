"""Releases with their commits, heads and authors."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from shared.infra.database import UtcDateTime

revision = "r0002"
down_revision = "r0001"
branch_labels = None
depends_on = None

ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "rel_authors",
        sa.Column("id", ID, autoincrement=True, nullable=False),
        sa.Column("organization_id", ID, nullable=False),
        sa.Column("email", sa.String(length=75), nullable=False),
        sa.Column("name", sa.String(length=128), nullable=True),
        sa.ForeignKeyConstraint(
            ["organization_id"], ["rel_organizations.id"], name=op.f("fk_rel_authors_organization_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_rel_authors")),
        sa.UniqueConstraint("organization_id", "email", name=op.f("uq_rel_authors_organization_id_email")),
    )
    op.create_table(
        "rel_releases",
        sa.Column("id", ID, autoincrement=True, nullable=False),
        sa.Column("organization_id", ID, nullable=False),
        sa.Column("version", sa.String(length=200), nullable=False),
        sa.Column("is_archived", sa.Boolean(), nullable=False),
        sa.Column("ref", sa.String(length=200), nullable=True),
        sa.Column("url", sa.Text(), nullable=True),
        sa.Column("date_added", UtcDateTime(), nullable=False),
        sa.Column("date_released", UtcDateTime(), nullable=True),
        sa.Column("date_sort", UtcDateTime(), nullable=False),
        sa.Column("owner_id", ID, nullable=True),
        sa.Column("user_agent", sa.String(length=256), nullable=True),
        sa.Column("commit_count", sa.Integer(), nullable=True),
        sa.Column("last_commit_id", ID, nullable=True),
        sa.Column("deploy_count", sa.Integer(), nullable=True),
        sa.Column("last_deploy_id", ID, nullable=True),
        sa.Column("package", sa.String(length=200), nullable=True),
        sa.Column("major", sa.BigInteger(), nullable=True),
        sa.Column("minor", sa.BigInteger(), nullable=True),
        sa.Column("patch", sa.BigInteger(), nullable=True),
        sa.Column("revision", sa.BigInteger(), nullable=True),
        sa.Column("prerelease", sa.String(length=200), nullable=True),
        sa.Column("build_code", sa.String(length=200), nullable=True),
        sa.Column("build_number", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(
            ["organization_id"], ["rel_organizations.id"], name=op.f("fk_rel_releases_organization_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(["owner_id"], ["rel_users.id"], name=op.f("fk_rel_releases_owner_id"), ondelete="SET NULL"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_rel_releases")),
        sa.UniqueConstraint("organization_id", "version", name=op.f("uq_rel_releases_organization_id_version")),
    )
    op.create_index(
        "ix_rel_releases_organization_id_date_added_id", "rel_releases", ["organization_id", "date_added", "id"], unique=False
    )
    op.create_index(
        "ix_rel_releases_organization_id_date_sort_id", "rel_releases", ["organization_id", "date_sort", "id"], unique=False
    )
    op.create_table(
        "rel_repositories",
        sa.Column("id", ID, autoincrement=True, nullable=False),
        sa.Column("organization_id", ID, nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("url", sa.Text(), nullable=True),
        sa.Column("provider", sa.String(length=64), nullable=True),
        sa.Column("date_added", UtcDateTime(), nullable=False),
        sa.ForeignKeyConstraint(
            ["organization_id"], ["rel_organizations.id"], name=op.f("fk_rel_repositories_organization_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_rel_repositories")),
        sa.UniqueConstraint("organization_id", "name", name=op.f("uq_rel_repositories_organization_id_name")),
    )
    op.create_table(
        "rel_commits",
        sa.Column("id", ID, autoincrement=True, nullable=False),
        sa.Column("repository_id", ID, nullable=False),
        sa.Column("key", sa.String(length=64), nullable=False),
        sa.Column("message", sa.Text(), nullable=True),
        sa.Column("author_id", ID, nullable=True),
        sa.Column("date_added", UtcDateTime(), nullable=False),
        sa.ForeignKeyConstraint(["author_id"], ["rel_authors.id"], name=op.f("fk_rel_commits_author_id"), ondelete="SET NULL"),
        sa.ForeignKeyConstraint(
            ["repository_id"], ["rel_repositories.id"], name=op.f("fk_rel_commits_repository_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_rel_commits")),
        sa.UniqueConstraint("repository_id", "key", name=op.f("uq_rel_commits_repository_id_key")),
    )
    op.create_table(
        "rel_release_authors",
        sa.Column("release_id", ID, nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("author_id", ID, nullable=False),
        sa.ForeignKeyConstraint(
            ["author_id"], ["rel_authors.id"], name=op.f("fk_rel_release_authors_author_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["release_id"], ["rel_releases.id"], name=op.f("fk_rel_release_authors_release_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("release_id", "position", name=op.f("pk_rel_release_authors")),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "rel_release_projects",
        sa.Column("release_id", ID, nullable=False),
        sa.Column("project_id", ID, nullable=False),
        sa.ForeignKeyConstraint(
            ["project_id"], ["rel_projects.id"], name=op.f("fk_rel_release_projects_project_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["release_id"], ["rel_releases.id"], name=op.f("fk_rel_release_projects_release_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("release_id", "project_id", name=op.f("pk_rel_release_projects")),
        sqlite_with_rowid=False,
    )
    op.create_index(
        "ix_rel_release_projects_project_id_release_id", "rel_release_projects", ["project_id", "release_id"], unique=False
    )
    op.create_table(
        "rel_release_ranges",
        sa.Column("release_id", ID, nullable=False),
        sa.Column("repository_id", ID, nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("start_key", sa.String(length=64), nullable=True),
        sa.Column("end_key", sa.String(length=64), nullable=False),
        sa.Column("note", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(
            ["release_id"], ["rel_releases.id"], name=op.f("fk_rel_release_ranges_release_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["repository_id"], ["rel_repositories.id"], name=op.f("fk_rel_release_ranges_repository_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("release_id", "repository_id", name=op.f("pk_rel_release_ranges")),
    )
    op.create_index(
        "ix_rel_release_ranges_repository_id_release_id", "rel_release_ranges", ["repository_id", "release_id"], unique=False
    )
    op.create_table(
        "rel_commit_files",
        sa.Column("commit_id", ID, nullable=False),
        sa.Column("path", sa.String(length=510), nullable=False),
        sa.Column("type", sa.String(length=1), nullable=False),
        sa.ForeignKeyConstraint(
            ["commit_id"], ["rel_commits.id"], name=op.f("fk_rel_commit_files_commit_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("commit_id", "path", name=op.f("pk_rel_commit_files")),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "rel_release_commits",
        sa.Column("release_id", ID, nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("commit_id", ID, nullable=False),
        sa.ForeignKeyConstraint(
            ["commit_id"], ["rel_commits.id"], name=op.f("fk_rel_release_commits_commit_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["release_id"], ["rel_releases.id"], name=op.f("fk_rel_release_commits_release_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("release_id", "position", name=op.f("pk_rel_release_commits")),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_rel_release_commits_commit_id", "rel_release_commits", ["commit_id"], unique=False)
    op.create_table(
        "rel_release_heads",
        sa.Column("release_id", ID, nullable=False),
        sa.Column("repository_id", ID, nullable=False),
        sa.Column("commit_id", ID, nullable=False),
        sa.ForeignKeyConstraint(
            ["commit_id"], ["rel_commits.id"], name=op.f("fk_rel_release_heads_commit_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["release_id"], ["rel_releases.id"], name=op.f("fk_rel_release_heads_release_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["repository_id"], ["rel_repositories.id"], name=op.f("fk_rel_release_heads_repository_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("release_id", "repository_id", name=op.f("pk_rel_release_heads")),
        sqlite_with_rowid=False,
    )
    op.create_index(
        "ix_rel_release_heads_repository_id_release_id", "rel_release_heads", ["repository_id", "release_id"], unique=False
    )


def downgrade() -> None:
    op.drop_table("rel_release_heads")
    op.drop_table("rel_release_commits")
    op.drop_table("rel_commit_files")
    op.drop_table("rel_release_ranges")
    op.drop_table("rel_release_projects")
    op.drop_table("rel_release_authors")
    op.drop_table("rel_commits")
    op.drop_table("rel_repositories")
    op.drop_table("rel_releases")
    op.drop_table("rel_authors")

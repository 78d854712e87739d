"""Releases with their commits, heads, authors, deploys."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from shared.db import UtcDateTime

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "authors",
        sa.Column("id", ID, autoincrement=True, nullable=False),
        sa.Column("organization_id", ID, nullable=False),
        sa.Column("email", sa.String(length=75), nullable=False),
        sa.Column("name", sa.String(length=128), nullable=True),
        sa.ForeignKeyConstraint(
            ["organization_id"], ["organizations.id"], name=op.f("fk_authors_organization_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_authors")),
        sa.UniqueConstraint("organization_id", "email", name=op.f("uq_authors_organization_id_email")),
    )
    op.create_table(
        "environments",
        sa.Column("id", ID, autoincrement=True, nullable=False),
        sa.Column("organization_id", ID, nullable=False),
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.ForeignKeyConstraint(
            ["organization_id"], ["organizations.id"], name=op.f("fk_environments_organization_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_environments")),
        sa.UniqueConstraint("organization_id", "name", name=op.f("uq_environments_organization_id_name")),
    )
    op.create_table(
        "releases",
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
            ["organization_id"], ["organizations.id"], name=op.f("fk_releases_organization_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(["owner_id"], ["users.id"], name=op.f("fk_releases_owner_id"), ondelete="SET NULL"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_releases")),
        sa.UniqueConstraint("organization_id", "version", name=op.f("uq_releases_organization_id_version")),
    )
    op.create_index(
        "ix_releases_organization_id_date_added_id", "releases", ["organization_id", "date_added", "id"], unique=False
    )
    op.create_index(
        "ix_releases_organization_id_date_sort_id", "releases", ["organization_id", "date_sort", "id"], unique=False
    )
    op.create_table(
        "repositories",
        sa.Column("id", ID, autoincrement=True, nullable=False),
        sa.Column("organization_id", ID, nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("url", sa.Text(), nullable=True),
        sa.Column("provider", sa.String(length=64), nullable=True),
        sa.Column("date_added", UtcDateTime(), nullable=False),
        sa.ForeignKeyConstraint(
            ["organization_id"], ["organizations.id"], name=op.f("fk_repositories_organization_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_repositories")),
        sa.UniqueConstraint("organization_id", "name", name=op.f("uq_repositories_organization_id_name")),
    )
    op.create_table(
        "activities",
        sa.Column("id", ID, autoincrement=True, nullable=False),
        sa.Column("release_id", ID, nullable=False),
        sa.Column("project_id", ID, nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("date_added", UtcDateTime(), nullable=False),
        sa.ForeignKeyConstraint(["project_id"], ["projects.id"], name=op.f("fk_activities_project_id"), ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["release_id"], ["releases.id"], name=op.f("fk_activities_release_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_activities")),
    )
    op.create_index("ix_activities_release_id", "activities", ["release_id"], unique=False)
    op.create_table(
        "commits",
        sa.Column("id", ID, autoincrement=True, nullable=False),
        sa.Column("repository_id", ID, nullable=False),
        sa.Column("key", sa.String(length=64), nullable=False),
        sa.Column("message", sa.Text(), nullable=True),
        sa.Column("author_id", ID, nullable=True),
        sa.Column("date_added", UtcDateTime(), nullable=False),
        sa.ForeignKeyConstraint(["author_id"], ["authors.id"], name=op.f("fk_commits_author_id"), ondelete="SET NULL"),
        sa.ForeignKeyConstraint(
            ["repository_id"], ["repositories.id"], name=op.f("fk_commits_repository_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_commits")),
        sa.UniqueConstraint("repository_id", "key", name=op.f("uq_commits_repository_id_key")),
    )
    op.create_table(
        "deploys",
        sa.Column("id", ID, autoincrement=True, nullable=False),
        sa.Column("release_id", ID, nullable=False),
        sa.Column("environment_id", ID, nullable=False),
        sa.Column("name", sa.String(length=64), nullable=True),
        sa.Column("url", sa.Text(), nullable=True),
        sa.Column("date_started", UtcDateTime(), nullable=True),
        sa.Column("date_finished", UtcDateTime(), nullable=False),
        sa.Column("date_added", UtcDateTime(), nullable=False),
        sa.ForeignKeyConstraint(
            ["environment_id"], ["environments.id"], name=op.f("fk_deploys_environment_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(["release_id"], ["releases.id"], name=op.f("fk_deploys_release_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_deploys")),
    )
    op.create_index("ix_deploys_release_id_date_finished", "deploys", ["release_id", "date_finished"], unique=False)
    op.create_table(
        "release_authors",
        sa.Column("release_id", ID, nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("author_id", ID, nullable=False),
        sa.ForeignKeyConstraint(["author_id"], ["authors.id"], name=op.f("fk_release_authors_author_id"), ondelete="CASCADE"),
        sa.ForeignKeyConstraint(
            ["release_id"], ["releases.id"], name=op.f("fk_release_authors_release_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("release_id", "position", name=op.f("pk_release_authors")),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "release_projects",
        sa.Column("release_id", ID, nullable=False),
        sa.Column("project_id", ID, nullable=False),
        sa.ForeignKeyConstraint(
            ["project_id"], ["projects.id"], name=op.f("fk_release_projects_project_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["release_id"], ["releases.id"], name=op.f("fk_release_projects_release_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("release_id", "project_id", name=op.f("pk_release_projects")),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_release_projects_project_id_release_id", "release_projects", ["project_id", "release_id"], unique=False)
    op.create_table(
        "release_ranges",
        sa.Column("release_id", ID, nullable=False),
        sa.Column("repository_id", ID, nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("start_key", sa.String(length=64), nullable=True),
        sa.Column("end_key", sa.String(length=64), nullable=False),
        sa.Column("note", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(["release_id"], ["releases.id"], name=op.f("fk_release_ranges_release_id"), ondelete="CASCADE"),
        sa.ForeignKeyConstraint(
            ["repository_id"], ["repositories.id"], name=op.f("fk_release_ranges_repository_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("release_id", "repository_id", name=op.f("pk_release_ranges")),
    )
    op.create_index(
        "ix_release_ranges_repository_id_release_id", "release_ranges", ["repository_id", "release_id"], unique=False
    )
    op.create_table(
        "commit_files",
        sa.Column("commit_id", ID, nullable=False),
        sa.Column("path", sa.String(length=510), nullable=False),
        sa.Column("type", sa.String(length=1), nullable=False),
        sa.ForeignKeyConstraint(["commit_id"], ["commits.id"], name=op.f("fk_commit_files_commit_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("commit_id", "path", name=op.f("pk_commit_files")),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "last_deploys",
        sa.Column("release_id", ID, nullable=False),
        sa.Column("project_id", ID, nullable=False),
        sa.Column("environment_id", ID, nullable=False),
        sa.Column("deploy_id", ID, nullable=False),
        sa.ForeignKeyConstraint(["deploy_id"], ["deploys.id"], name=op.f("fk_last_deploys_deploy_id"), ondelete="CASCADE"),
        sa.ForeignKeyConstraint(
            ["environment_id"], ["environments.id"], name=op.f("fk_last_deploys_environment_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(["project_id"], ["projects.id"], name=op.f("fk_last_deploys_project_id"), ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["release_id"], ["releases.id"], name=op.f("fk_last_deploys_release_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("release_id", "project_id", "environment_id", name=op.f("pk_last_deploys")),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_last_deploys_environment_id_release_id", "last_deploys", ["environment_id", "release_id"], unique=False)
    op.create_table(
        "release_commits",
        sa.Column("release_id", ID, nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("commit_id", ID, nullable=False),
        sa.ForeignKeyConstraint(["commit_id"], ["commits.id"], name=op.f("fk_release_commits_commit_id"), ondelete="CASCADE"),
        sa.ForeignKeyConstraint(
            ["release_id"], ["releases.id"], name=op.f("fk_release_commits_release_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("release_id", "position", name=op.f("pk_release_commits")),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_release_commits_commit_id", "release_commits", ["commit_id"], unique=False)
    op.create_table(
        "release_heads",
        sa.Column("release_id", ID, nullable=False),
        sa.Column("repository_id", ID, nullable=False),
        sa.Column("commit_id", ID, nullable=False),
        sa.ForeignKeyConstraint(["commit_id"], ["commits.id"], name=op.f("fk_release_heads_commit_id"), ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["release_id"], ["releases.id"], name=op.f("fk_release_heads_release_id"), ondelete="CASCADE"),
        sa.ForeignKeyConstraint(
            ["repository_id"], ["repositories.id"], name=op.f("fk_release_heads_repository_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("release_id", "repository_id", name=op.f("pk_release_heads")),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_release_heads_repository_id_release_id", "release_heads", ["repository_id", "release_id"], unique=False)


def downgrade() -> None:
    op.drop_table("release_heads")
    op.drop_table("release_commits")
    op.drop_table("last_deploys")
    op.drop_table("commit_files")
    op.drop_table("release_ranges")
    op.drop_table("release_projects")
    op.drop_table("release_authors")
    op.drop_table("deploys")
    op.drop_table("commits")
    op.drop_table("activities")
    op.drop_table("repositories")
    op.drop_table("releases")
    op.drop_table("environments")
    op.drop_table("authors")

"""Organizations, projects, users, credentials."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from shared.infra.database import UtcDateTime

revision = "r0001"
down_revision = None
branch_labels = None
depends_on = None

ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "rel_organizations",
        sa.Column("id", ID, autoincrement=True, nullable=False),
        sa.Column("slug", sa.String(length=50), nullable=False),
        sa.Column("name", sa.String(length=128), nullable=False),
        sa.Column("date_added", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_rel_organizations")),
        sa.UniqueConstraint("slug", name=op.f("uq_rel_organizations_slug")),
    )
    op.create_table(
        "rel_users",
        sa.Column("id", ID, autoincrement=True, nullable=False),
        sa.Column("username", sa.String(length=128), nullable=False),
        sa.Column("email", sa.String(length=75), nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("is_active", sa.Boolean(), nullable=False),
        sa.Column("date_added", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_rel_users")),
        sa.UniqueConstraint("username", name=op.f("uq_rel_users_username")),
    )
    op.create_index(op.f("ix_rel_users_email"), "rel_users", ["email"], unique=False)
    op.create_table(
        "rel_credentials",
        sa.Column("id", ID, autoincrement=True, nullable=False),
        sa.Column("organization_id", ID, nullable=False),
        sa.Column("kind", sa.String(length=8), nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("hint", sa.String(length=8), nullable=False),
        sa.Column("label", sa.String(length=64), nullable=True),
        sa.Column("scopes", sa.Text(), nullable=False),
        sa.Column("user_id", ID, nullable=True),
        sa.Column("is_limited", sa.Boolean(), nullable=False),
        sa.Column("expires_at", UtcDateTime(), nullable=True),
        sa.Column("revoked_at", UtcDateTime(), nullable=True),
        sa.Column("date_added", UtcDateTime(), nullable=False),
        sa.ForeignKeyConstraint(
            ["organization_id"], ["rel_organizations.id"], name=op.f("fk_rel_credentials_organization_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(["user_id"], ["rel_users.id"], name=op.f("fk_rel_credentials_user_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_rel_credentials")),
        sa.UniqueConstraint("kind", "digest", name=op.f("uq_rel_credentials_kind_digest")),
    )
    op.create_index("ix_rel_credentials_organization_id", "rel_credentials", ["organization_id"], unique=False)
    op.create_table(
        "rel_members",
        sa.Column("organization_id", ID, nullable=False),
        sa.Column("user_id", ID, nullable=False),
        sa.ForeignKeyConstraint(
            ["organization_id"], ["rel_organizations.id"], name=op.f("fk_rel_members_organization_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(["user_id"], ["rel_users.id"], name=op.f("fk_rel_members_user_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("organization_id", "user_id", name=op.f("pk_rel_members")),
    )
    op.create_index("ix_rel_members_user_id", "rel_members", ["user_id"], unique=False)
    op.create_table(
        "rel_projects",
        sa.Column("id", ID, autoincrement=True, nullable=False),
        sa.Column("organization_id", ID, nullable=False),
        sa.Column("slug", sa.String(length=100), nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("platform", sa.String(length=64), nullable=True),
        sa.Column("date_added", UtcDateTime(), nullable=False),
        sa.ForeignKeyConstraint(
            ["organization_id"], ["rel_organizations.id"], name=op.f("fk_rel_projects_organization_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_rel_projects")),
        sa.UniqueConstraint("organization_id", "slug", name=op.f("uq_rel_projects_organization_id_slug")),
    )
    op.create_table(
        "rel_credential_projects",
        sa.Column("credential_id", ID, nullable=False),
        sa.Column("project_id", ID, nullable=False),
        sa.ForeignKeyConstraint(
            ["credential_id"], ["rel_credentials.id"], name=op.f("fk_rel_credential_projects_credential_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["project_id"], ["rel_projects.id"], name=op.f("fk_rel_credential_projects_project_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("credential_id", "project_id", name=op.f("pk_rel_credential_projects")),
    )
    op.create_table(
        "rel_project_redirects",
        sa.Column("organization_id", ID, nullable=False),
        sa.Column("slug", sa.String(length=100), nullable=False),
        sa.Column("project_id", ID, nullable=False),
        sa.ForeignKeyConstraint(
            ["organization_id"],
            ["rel_organizations.id"],
            name=op.f("fk_rel_project_redirects_organization_id"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["project_id"], ["rel_projects.id"], name=op.f("fk_rel_project_redirects_project_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("organization_id", "slug", name=op.f("pk_rel_project_redirects")),
    )


def downgrade() -> None:
    op.drop_table("rel_project_redirects")
    op.drop_table("rel_credential_projects")
    op.drop_table("rel_projects")
    op.drop_table("rel_members")
    op.drop_table("rel_credentials")
    op.drop_table("rel_users")
    op.drop_table("rel_organizations")

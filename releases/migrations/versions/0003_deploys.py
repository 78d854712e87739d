"""Environments, deploys, activities."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from shared.infra.database import UtcDateTime

revision = "r0003"
down_revision = "r0002"
branch_labels = None
depends_on = None

ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "rel_environments",
        sa.Column("id", ID, autoincrement=True, nullable=False),
        sa.Column("organization_id", ID, nullable=False),
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.ForeignKeyConstraint(
            ["organization_id"], ["rel_organizations.id"], name=op.f("fk_rel_environments_organization_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_rel_environments")),
        sa.UniqueConstraint("organization_id", "name", name=op.f("uq_rel_environments_organization_id_name")),
    )
    op.create_table(
        "rel_activities",
        sa.Column("id", ID, autoincrement=True, nullable=False),
        sa.Column("release_id", ID, nullable=False),
        sa.Column("project_id", ID, nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("date_added", UtcDateTime(), nullable=False),
        sa.ForeignKeyConstraint(
            ["project_id"], ["rel_projects.id"], name=op.f("fk_rel_activities_project_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["release_id"], ["rel_releases.id"], name=op.f("fk_rel_activities_release_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_rel_activities")),
    )
    op.create_index("ix_rel_activities_release_id", "rel_activities", ["release_id"], unique=False)
    op.create_table(
        "rel_deploys",
        sa.Column("id", ID, autoincrement=True, nullable=False),
        sa.Column("release_id", ID, nullable=False),
        sa.Column("environment_id", ID, nullable=False),
        sa.Column("name", sa.String(length=64), nullable=True),
        sa.Column("url", sa.Text(), nullable=True),
        sa.Column("date_started", UtcDateTime(), nullable=True),
        sa.Column("date_finished", UtcDateTime(), nullable=False),
        sa.Column("date_added", UtcDateTime(), nullable=False),
        sa.ForeignKeyConstraint(
            ["environment_id"], ["rel_environments.id"], name=op.f("fk_rel_deploys_environment_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["release_id"], ["rel_releases.id"], name=op.f("fk_rel_deploys_release_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_rel_deploys")),
    )
    op.create_index("ix_rel_deploys_release_id_date_finished", "rel_deploys", ["release_id", "date_finished"], unique=False)
    op.create_table(
        "rel_last_deploys",
        sa.Column("release_id", ID, nullable=False),
        sa.Column("project_id", ID, nullable=False),
        sa.Column("environment_id", ID, nullable=False),
        sa.Column("deploy_id", ID, nullable=False),
        sa.ForeignKeyConstraint(
            ["deploy_id"], ["rel_deploys.id"], name=op.f("fk_rel_last_deploys_deploy_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["environment_id"], ["rel_environments.id"], name=op.f("fk_rel_last_deploys_environment_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["project_id"], ["rel_projects.id"], name=op.f("fk_rel_last_deploys_project_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["release_id"], ["rel_releases.id"], name=op.f("fk_rel_last_deploys_release_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("release_id", "project_id", "environment_id", name=op.f("pk_rel_last_deploys")),
        sqlite_with_rowid=False,
    )
    op.create_index(
        "ix_rel_last_deploys_environment_id_release_id", "rel_last_deploys", ["environment_id", "release_id"], unique=False
    )


def downgrade() -> None:
    op.drop_table("rel_last_deploys")
    op.drop_table("rel_deploys")
    op.drop_table("rel_activities")
    op.drop_table("rel_environments")

"""First contacts of repositories and targets, the tag that made a release, and times of events."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from shared.infra.database import UtcDateTime

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "target_repositories",
        sa.Column("target", sa.String(length=64), nullable=False),
        sa.Column("repository", sa.String(length=512), nullable=False),
        sa.Column("at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("target", "repository", name=op.f("pk_target_repositories")),
    )
    op.add_column("contributions", sa.Column("ref", sa.String(length=1024), nullable=True))
    op.add_column("jobs", sa.Column("event_at", UtcDateTime(), nullable=True))
    op.add_column("jobs", sa.Column("deploy_at", UtcDateTime(), nullable=True))

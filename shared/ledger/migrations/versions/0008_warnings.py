"""What a release lacks at the target, an index for the jobs with warnings, and which targets keep commits."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from shared.infra.database import UtcDateTime
from shared.infra.schema import create_index

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # The index commits these before it is built: one that was interrupted finds them here.
    again = op.get_context().dialect.name == "postgresql"
    op.add_column("jobs", sa.Column("warnings", sa.JSON(), nullable=True), if_not_exists=again)
    op.add_column("target_states", sa.Column("keeps_commits", sa.Boolean(), nullable=True), if_not_exists=again)
    op.add_column("target_states", sa.Column("keeps_commits_at", UtcDateTime(), nullable=True), if_not_exists=again)
    create_index(op, "ix_jobs_warnings", "jobs", ["id"], where="warnings IS NOT NULL")

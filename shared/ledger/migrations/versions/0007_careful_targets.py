"""A target that answers, but takes none of several releases in a row, gets one job at a time."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("target_states", sa.Column("failed", sa.JSON(), nullable=True))
    op.add_column("target_states", sa.Column("is_careful", sa.Boolean(), nullable=True))

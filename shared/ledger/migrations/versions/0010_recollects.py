"""The list of a release is collected again, and releases of the past carry the date of their tag."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from shared.infra.database import UtcDateTime

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("jobs", sa.Column("before_status", sa.String(length=10), nullable=True))
    op.add_column("jobs", sa.Column("before_next_at", UtcDateTime(), nullable=True))
    op.add_column("jobs", sa.Column("before_waiting", sa.JSON(none_as_null=True), nullable=True))
    op.add_column("jobs", sa.Column("before_updated_at", UtcDateTime(), nullable=True))
    op.add_column("comparisons", sa.Column("with_deploys", sa.Boolean(), nullable=True))

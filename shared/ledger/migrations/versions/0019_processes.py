"""The processes that run, and which rules file each has in force."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from shared.infra.database import UtcDateTime

revision = "0019"
down_revision = "0014"
compatible = True
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "processes",
        sa.Column("id", sa.String(32), primary_key=True),
        sa.Column("kind", sa.String(10), nullable=False),
        sa.Column("host", sa.String(200), nullable=False),
        sa.Column("pid", sa.Integer, nullable=False),
        sa.Column("started_at", UtcDateTime, nullable=False),
        sa.Column("seen_at", UtcDateTime, nullable=False),
        sa.Column("digest", sa.String(64)),
        sa.Column("errors", sa.JSON(none_as_null=True), nullable=False),
    )

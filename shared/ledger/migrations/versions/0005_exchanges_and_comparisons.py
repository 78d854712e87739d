"""What each attempt sent and got, beside the attempt; and the comparisons of a forge's tags with our releases."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from shared.infra.database import UtcDateTime

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

_TO_DO = "state IN ('wanted', 'running')"


def upgrade() -> None:
    op.add_column("attempts", sa.Column("exchanges", sa.LargeBinary(), nullable=True))
    op.create_table(
        "comparisons",
        sa.Column("key", sa.String(length=553), nullable=False),
        sa.Column("state", sa.String(length=10), nullable=False),
        sa.Column("trigger", sa.String(length=10), nullable=False),
        sa.Column("most_tags", sa.Integer(), nullable=True),
        sa.Column("creates", sa.Boolean(), nullable=False),
        sa.Column("is_by_timer", sa.Boolean(), nullable=False),
        sa.Column("run", sa.Integer(), nullable=False),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.Column("next_at", UtcDateTime(), nullable=False),
        sa.Column("wanted_at", UtcDateTime(), nullable=False),
        sa.Column("ended_at", UtcDateTime(), nullable=True),
        sa.Column("compared_at", UtcDateTime(), nullable=True),
        sa.Column("tags", sa.Integer(), nullable=True),
        sa.Column("missing", sa.Integer(), nullable=True),
        sa.Column("to_create", sa.Integer(), nullable=True),
        sa.Column("handled", sa.Integer(), nullable=True),
        sa.Column("queued", sa.Integer(), nullable=True),
        sa.Column("entries", sa.LargeBinary(), nullable=True),
        sa.Column("error", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_comparisons")),
    )
    op.create_index(
        "ix_comparisons_next_at",
        "comparisons",
        ["next_at"],
        sqlite_where=sa.text(_TO_DO),
        postgresql_where=sa.text(_TO_DO),
    )

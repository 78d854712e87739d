"""Wrong operators' tokens by sender."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from shared.infra.database import UtcDateTime

revision = "0014"
down_revision = "0012"
compatible = True
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "wrong_tokens",
        sa.Column("sender", sa.String(length=64), nullable=False),
        sa.Column("since", UtcDateTime(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("sender", name=op.f("pk_wrong_tokens")),
    )
    op.create_index("ix_wrong_tokens_since", "wrong_tokens", ["since"])

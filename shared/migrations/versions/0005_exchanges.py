"""What each attempt sent and what came back, packed, beside the attempt: written by the update that closes it."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("attempts", sa.Column("exchanges", sa.LargeBinary(), nullable=True))

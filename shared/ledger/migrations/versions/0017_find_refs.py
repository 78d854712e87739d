"""An index for tags and branches of deliveries. SQLite is locked while one is built, so each is a migration of its own."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from shared.infra.schema import create_index

revision = "0017"
down_revision = "0019"
compatible = True
branch_labels = None
depends_on = None


def upgrade() -> None:
    by_bytes = " text_pattern_ops" if op.get_context().dialect.name == "postgresql" else ""
    create_index(op, "ix_deliveries_ref", "deliveries", [sa.text(f"substr(ref, 1, 200){by_bytes}"), "seq"])

"""What tells a signed body that is sent again, when a push was made, and whose a version is."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from shared.infra.database import UtcDateTime
from shared.infra.schema import create_index

revision = "0015"
down_revision = "0017c"
branch_labels = None
depends_on = None
compatible = True


def upgrade() -> None:
    # The index commits these before it is built: a migration that was interrupted finds them here.
    again = op.get_context().dialect.name == "postgresql"
    op.add_column("contributions", sa.Column("source", sa.Text(), nullable=True), if_not_exists=again)
    op.add_column("contributions", sa.Column("is_shared", sa.Boolean(), nullable=True), if_not_exists=again)
    op.add_column("pushes", sa.Column("pushed_at", UtcDateTime(), nullable=True), if_not_exists=again)
    op.add_column("deliveries", sa.Column("body_digest", sa.LargeBinary(length=32), nullable=True), if_not_exists=again)
    create_index(op, "ix_deliveries_body_digest", "deliveries", ["body_digest"], where="body_digest IS NOT NULL", unique=True)

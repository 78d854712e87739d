"""An index for the versions of jobs."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from shared.infra.schema import create_index

revision = "0017b"
down_revision = "0017"
compatible = True
branch_labels = None
depends_on = None


def upgrade() -> None:
    by_bytes = " text_pattern_ops" if op.get_context().dialect.name == "postgresql" else ""
    create_index(op, "ix_jobs_version", "jobs", [sa.text(f"version{by_bytes}"), "id"])

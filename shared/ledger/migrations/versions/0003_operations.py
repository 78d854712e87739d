"""When each job is knocked for next, each target's pace, kept answers of repeated requests, and the lists' indexes."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from shared.infra.database import UtcDateTime

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

_DUE = "status IN ('queued', 'retrying')"


def upgrade() -> None:
    # One column says when the sweeper knocks next, so that its query is an index range and never a scan of the backlog.
    op.execute("ALTER TABLE jobs RENAME COLUMN knocked_at TO knock_at")
    op.execute("UPDATE jobs SET knock_at = next_attempt_at")
    op.drop_index("ix_jobs_due", table_name="jobs")
    op.create_index(
        "ix_jobs_due",
        "jobs",
        ["target", "repository", "knock_at", "id"],
        sqlite_where=sa.text(_DUE),
        postgresql_where=sa.text(_DUE),
    )
    op.create_index("ix_jobs_status", "jobs", ["status", "id"])
    op.create_index("ix_jobs_repository", "jobs", ["repository", "id"])
    op.create_index("ix_deliveries_status", "deliveries", ["status", "seq"])
    op.create_index("ix_deliveries_repository", "deliveries", ["repository", "seq"])
    op.create_index("ix_deliveries_created_at", "deliveries", ["created_at"])
    op.add_column("target_states", sa.Column("next_send", sa.Float(), nullable=True))
    op.create_table(
        "kept_answers",
        sa.Column("scope", sa.String(length=300), nullable=False),
        sa.Column("key", sa.String(length=200), nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("body", sa.JSON(none_as_null=True), nullable=True),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("scope", "key", name=op.f("pk_kept_answers")),
    )
    op.create_index("ix_kept_answers_created_at", "kept_answers", ["created_at"])

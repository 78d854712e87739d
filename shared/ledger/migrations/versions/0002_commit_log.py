"""The commit log, contributions, holds and how targets fare."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from shared.infra.database import UtcDateTime

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def _big_id() -> sa.types.TypeEngine[int]:
    return sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "commits",
        sa.Column("repository_key", sa.String(length=553), nullable=False),
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("message", sa.Text(), nullable=False),
        sa.Column("author_name", sa.Text(), nullable=True),
        sa.Column("author_email", sa.Text(), nullable=True),
        sa.Column("timestamp", UtcDateTime(), nullable=True),
        sa.Column("files", sa.JSON(none_as_null=True), nullable=True),
        sa.Column("seen_at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("repository_key", "id", name=op.f("pk_commits")),
    )
    with op.batch_alter_table("commits", schema=None) as batch_op:
        batch_op.create_index("ix_commits_seen_at", ["seen_at"], unique=False)

    op.create_table(
        "contributions",
        sa.Column("target", sa.String(length=64), nullable=False),
        sa.Column("version", sa.String(length=200), nullable=False),
        sa.Column("repository_key", sa.String(length=553), nullable=False),
        sa.Column("commits", sa.LargeBinary(), nullable=False),
        sa.Column("at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("target", "version", "repository_key", name=op.f("pk_contributions")),
    )
    op.create_table(
        "holds",
        sa.Column("scope", sa.String(length=300), nullable=False),
        sa.Column("until", UtcDateTime(), nullable=False),
        sa.Column("detail", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("scope", name=op.f("pk_holds")),
    )
    op.create_table(
        "pushes",
        sa.Column("seq", _big_id(), autoincrement=False, nullable=False),
        sa.Column("repository_key", sa.String(length=553), nullable=False),
        sa.Column("ref", sa.String(length=1024), nullable=False),
        sa.Column("before", sa.String(length=64), nullable=False),
        sa.Column("sha", sa.String(length=64), nullable=True),
        sa.Column("commit_ids", sa.JSON(none_as_null=True), nullable=False),
        sa.Column("total", sa.Integer(), nullable=True),
        sa.Column("is_forced", sa.Boolean(), nullable=True),
        sa.Column("at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("seq", name=op.f("pk_pushes")),
    )
    with op.batch_alter_table("pushes", schema=None) as batch_op:
        batch_op.create_index("ix_pushes_at", ["at"], unique=False)
        batch_op.create_index("ix_pushes_sha", ["repository_key", "sha"], unique=False)

    op.create_table(
        "target_states",
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("state", sa.String(length=10), nullable=False),
        sa.Column("reason", sa.String(length=40), nullable=True),
        sa.Column("detail", sa.Text(), nullable=True),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("paused_until", UtcDateTime(), nullable=True),
        sa.Column("probe_job", sa.String(length=32), nullable=True),
        sa.Column("updated_at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_target_states")),
    )
    with op.batch_alter_table("deliveries", schema=None) as batch_op:
        batch_op.add_column(sa.Column("to_log", sa.Boolean(), server_default=sa.false(), nullable=False))
        batch_op.create_index(
            "ix_deliveries_to_log",
            ["provider", "repository"],
            unique=False,
            sqlite_where=sa.text("to_log"),
            postgresql_where=sa.text("to_log"),
        )

    with op.batch_alter_table("jobs", schema=None) as batch_op:
        batch_op.add_column(sa.Column("waiting", sa.JSON(none_as_null=True), nullable=True))
        batch_op.create_index(
            "ix_jobs_running_version",
            ["target", "version"],
            unique=True,
            sqlite_where=sa.text("status = 'running'"),
            postgresql_where=sa.text("status = 'running'"),
        )

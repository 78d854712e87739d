"""What the pages need: the audit log, tallies, known repositories, members of a bulk replay, an index for each filter."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from shared.infra.database import UtcDateTime

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

_BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_JSON = sa.JSON(none_as_null=True)


def upgrade() -> None:
    op.create_table(
        "audit",
        sa.Column("seq", _BIG, nullable=False),
        sa.Column("at", UtcDateTime(), nullable=False),
        sa.Column("door", sa.String(length=10), nullable=False),
        sa.Column("role", sa.String(length=10), nullable=False),
        sa.Column("address", sa.String(length=64), nullable=True),
        sa.Column("action", sa.String(length=40), nullable=False),
        sa.Column("subject", sa.String(length=512), nullable=True),
        sa.Column("detail", _JSON, nullable=True),
        sa.PrimaryKeyConstraint("seq", name=op.f("pk_audit")),
    )
    op.create_table(
        "tallies",
        sa.Column("hour", UtcDateTime(), nullable=False),
        sa.Column("series", sa.String(length=40), nullable=False),
        sa.Column("label", sa.String(length=200), nullable=False),
        sa.Column("bucket", sa.Integer(), nullable=False, autoincrement=False),
        sa.Column("number", sa.BigInteger(), nullable=False),
        sa.Column("seconds", sa.Float(), nullable=False),
        sa.PrimaryKeyConstraint("hour", "series", "label", "bucket", name=op.f("pk_tallies")),
    )
    op.create_table(
        "tally_marks",
        sa.Column("name", sa.String(length=40), nullable=False),
        sa.Column("until", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_tally_marks")),
    )
    op.create_table(
        "known_repositories",
        sa.Column("key", sa.String(length=553), nullable=False),
        sa.Column("provider", sa.String(length=40), nullable=False),
        sa.Column("repository", sa.String(length=512), nullable=False),
        sa.Column("pushes", _JSON, nullable=False),
        sa.Column("last_push_at", UtcDateTime(), nullable=True),
        sa.Column("last_release_at", UtcDateTime(), nullable=True),
        sa.Column("last_version", sa.String(length=200), nullable=True),
        sa.Column("silent_at", UtcDateTime(), nullable=True),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_known_repositories")),
    )
    op.create_index("ix_known_repositories_silent_at", "known_repositories", ["silent_at"])
    op.add_column("jobs", sa.Column("replay_seq", sa.BigInteger(), nullable=True))
    _create_partial_index("ix_jobs_replay_seq", ["replay_seq", "status"], "replay_seq IS NOT NULL")
    _create_partial_index("ix_jobs_reason", ["reason", "id"], "reason IS NOT NULL")
    op.create_index("ix_jobs_target", "jobs", ["target", "id"])
    op.create_index("ix_deliveries_provider", "deliveries", ["provider", "seq"])
    op.create_index("ix_attempts_finished_at", "attempts", ["finished_at"])


def _create_partial_index(name: str, columns: list[str], condition: str) -> None:
    op.create_index(name, "jobs", columns, sqlite_where=sa.text(condition), postgresql_where=sa.text(condition))

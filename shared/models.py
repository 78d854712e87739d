"""The ledger's tables: deliveries, their payloads, jobs, attempts. SQLAlchemy Core; rows are read by `shared/jobs.py`."""

from __future__ import annotations

from pathlib import Path

import sqlalchemy as sa

from shared.db import Schema, UtcDateTime

# Named constraints, so that a later migration can alter them on SQLite as well.
metadata = sa.MetaData(
    naming_convention={
        "pk": "pk_%(table_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "ix": "ix_%(table_name)s_%(column_0_name)s",
    }
)
SCHEMA = Schema(Path(__file__).parent / "migrations", "alembic_version")

_Json = sa.JSON(none_as_null=True)
_BigId = sa.BigInteger().with_variant(sa.Integer, "sqlite")  # SQLite's rowid must be INTEGER

deliveries = sa.Table(
    "deliveries",
    metadata,
    sa.Column("seq", _BigId, primary_key=True),
    sa.Column("delivery_id", sa.String(200), nullable=False),
    sa.Column("provider", sa.String(40), nullable=False),
    # Equal to delivery_id; null for a refused delivery, which never counts for deduplication.
    sa.Column("dedupe_key", sa.String(200)),
    sa.Column("event", sa.String(100), nullable=False),
    sa.Column("repository", sa.String(512)),
    sa.Column("ref", sa.String(1024)),
    sa.Column("status", sa.String(10), nullable=False),  # accepted, ignored, refused
    sa.Column("reason", sa.String(40)),
    sa.Column("detail", sa.Text),
    sa.Column("why", _Json),  # the rules tried, in order: [{"rule", "matched", "compared", "outcome"}]
    sa.Column("jobs", _Json, nullable=False),  # job ids, also of jobs that an earlier delivery made
    sa.Column("created_at", UtcDateTime, nullable=False),
    sa.UniqueConstraint("provider", "dedupe_key"),
    sa.Index(
        "ix_deliveries_refused",
        "seq",
        sqlite_where=sa.text("status = 'refused'"),
        postgresql_where=sa.text("status = 'refused'"),
    ),
    sa.Index("ix_deliveries_delivery_id", "delivery_id"),
)

# Apart from deliveries, so that lists never read bodies and retention can drop them alone.
payloads = sa.Table(
    "payloads",
    metadata,
    sa.Column(
        "delivery_seq", _BigId, sa.ForeignKey("deliveries.seq", ondelete="CASCADE"), primary_key=True, autoincrement=False
    ),
    sa.Column("headers", _Json, nullable=False),  # {name: value}, secrets masked
    sa.Column("body", sa.LargeBinary, nullable=False),  # as received
)

_DUE = "status IN ('queued', 'retrying')"

jobs = sa.Table(
    "jobs",
    metadata,
    sa.Column("id", sa.String(32), primary_key=True),  # UUIDv7, so ids sort by time
    # Digest of target, provider, repository, ref and commit: one job each, however many deliveries announce it.
    sa.Column("key", sa.String(64), nullable=False, unique=True),
    sa.Column("delivery_seq", _BigId, sa.ForeignKey("deliveries.seq", ondelete="SET NULL"), index=True),
    sa.Column("delivery_id", sa.String(200)),
    sa.Column("provider", sa.String(40), nullable=False),
    sa.Column("repository", sa.String(512), nullable=False),
    sa.Column("ref", sa.String(1024), nullable=False),
    sa.Column("sha", sa.String(64), nullable=False),
    sa.Column("target", sa.String(64), nullable=False),
    sa.Column("version", sa.String(200), nullable=False),
    # {"rule", "projects", "set_commits", "finalize", "environment"}: what the rule asked for
    sa.Column("spec", _Json, nullable=False),
    sa.Column("status", sa.String(10), nullable=False),
    sa.Column("trigger", sa.String(10), nullable=False),  # of the next attempt
    sa.Column("attempts", sa.Integer, nullable=False),
    sa.Column("attempts_allowed", sa.Integer, nullable=False),  # grows by a fresh budget with each replay
    sa.Column("next_attempt_at", UtcDateTime, nullable=False),
    sa.Column("knocked_at", UtcDateTime),  # the last message sent for it; null = none yet
    sa.Column("lease_until", UtcDateTime),
    sa.Column("reason", sa.String(40)),
    sa.Column("error", sa.Text),
    sa.Column("outcome", sa.String(10)),  # created, existed
    sa.Column("release_url", sa.Text),
    sa.Column("range", _Json),  # contract section 4
    sa.Column("deploy", _Json),  # {"finished_at", "state": "sending"|"sent"}: a deploy is never sent twice
    sa.Column("created_at", UtcDateTime, nullable=False),
    sa.Column("updated_at", UtcDateTime, nullable=False),
    sa.Index("ix_jobs_due", "next_attempt_at", sqlite_where=sa.text(_DUE), postgresql_where=sa.text(_DUE)),
    sa.Index(
        "ix_jobs_leased",
        "lease_until",
        sqlite_where=sa.text("status = 'running'"),
        postgresql_where=sa.text("status = 'running'"),
    ),
)

attempts = sa.Table(
    "attempts",
    metadata,
    sa.Column("job_id", sa.String(32), sa.ForeignKey("jobs.id", ondelete="CASCADE"), primary_key=True),
    sa.Column("number", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("trigger", sa.String(10), nullable=False),
    sa.Column("started_at", UtcDateTime, nullable=False),
    sa.Column("finished_at", UtcDateTime),
    sa.Column("outcome", sa.String(10)),
    sa.Column("http_status", sa.Integer),
    sa.Column("error", sa.Text),
)

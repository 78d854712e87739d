"""Tables that only people's doors read: the audit log, the tallies behind charts and metrics, what is known of repositories."""

from __future__ import annotations

import sqlalchemy as sa

from shared.db import UtcDateTime
from shared.metadata import BigId, Json, metadata

# Append-only: who did what through which door.
audit = sa.Table(
    "audit",
    metadata,
    sa.Column("seq", BigId, primary_key=True),
    sa.Column("at", UtcDateTime, nullable=False),
    sa.Column("door", sa.String(10), nullable=False),  # dashboard, api, cli
    sa.Column("role", sa.String(10), nullable=False),  # operator, viewer, or - for nobody
    sa.Column("address", sa.String(64)),  # the peer's; null for the command line
    sa.Column("action", sa.String(40), nullable=False),
    sa.Column("subject", sa.String(512)),  # the id or name that was acted upon
    sa.Column("detail", Json),
)

# What happened in each hour, folded from deliveries and attempts by the sweeper (shared/tallies.py); the hour 1970-01-01
# holds the sum of all time. A histogram is one row a bucket: its place in the list of bounds.
tallies = sa.Table(
    "tallies",
    metadata,
    sa.Column("hour", UtcDateTime, primary_key=True),
    sa.Column("series", sa.String(40), primary_key=True),
    sa.Column("label", sa.String(200), primary_key=True),
    sa.Column("bucket", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("number", sa.BigInteger, nullable=False),
    sa.Column("seconds", sa.Float, nullable=False),
)

# How far the fold has come: nothing up to this moment is counted again.
tally_marks = sa.Table(
    "tally_marks",
    metadata,
    sa.Column("name", sa.String(40), primary_key=True),
    sa.Column("until", UtcDateTime, nullable=False),
)

# One row for each repository that ever pushed.
known_repositories = sa.Table(
    "known_repositories",
    metadata,
    sa.Column("key", sa.String(553), primary_key=True),  # provider:full name
    sa.Column("provider", sa.String(40), nullable=False),
    sa.Column("repository", sa.String(512), nullable=False),
    sa.Column("pushes", Json, nullable=False),  # when the last ones came, as epoch seconds, oldest first
    sa.Column("last_push_at", UtcDateTime),
    sa.Column("last_release_at", UtcDateTime),
    sa.Column("last_version", sa.String(200)),
    sa.Column("silent_at", UtcDateTime),  # from when on its silence is unusual; null: too few pushes to tell
    sa.Index("ix_known_repositories_silent_at", "silent_at"),
)

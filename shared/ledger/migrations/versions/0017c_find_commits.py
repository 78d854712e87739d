"""Indexes for pushed heads, for jobs without a delivery, and for the beginnings of repositories' names and delivery ids."""

from __future__ import annotations

from contextlib import nullcontext

import sqlalchemy as sa
from alembic import op

from shared.infra.schema import create_index

revision = "0017c"
down_revision = "0017b"
compatible = True
branch_labels = None
depends_on = None


def upgrade() -> None:
    is_postgresql = op.get_context().dialect.name == "postgresql"
    by_bytes = " text_pattern_ops" if is_postgresql else ""
    loose = "delivery_seq IS NULL"
    # SQLite would walk the index over delivery_seq, where this one did not begin with it; PostgreSQL would not see the order.
    first = [] if is_postgresql else ["delivery_seq"]
    create_index(op, "ix_pushes_head", "pushes", ["sha"])
    create_index(op, "ix_jobs_loose_ref", "jobs", [*first, sa.text(f"substr(ref, 1, 200){by_bytes}"), "id"], where=loose)
    create_index(op, "ix_jobs_loose_sha", "jobs", ["delivery_seq", "sha"], where=loose)
    create_index(op, "ix_known_repositories_beginning", "known_repositories", [sa.text(f"lower(repository){by_bytes}")])
    create_index(op, "ix_known_repositories_renamed", "known_repositories", ["key"], where="former_names IS NOT NULL")
    if is_postgresql:  # SQLite compares by bytes anyway
        create_index(op, "ix_deliveries_delivery_id_by_bytes", "deliveries", [sa.text(f"delivery_id{by_bytes}")])
        _replace("ix_deliveries_delivery_id", "ix_deliveries_delivery_id_by_bytes")


def _replace(name: str, better: str) -> None:
    """Let `better` take the place of an index that it can do everything of."""
    context = op.get_context()
    is_beside = not context._in_external_transaction
    with context.autocommit_block() if is_beside else nullcontext():
        op.drop_index(name, "deliveries", if_exists=True, postgresql_concurrently=is_beside)
        op.execute(f"ALTER INDEX {better} RENAME TO {name}")

"""Alembic's entry for the ledger; `Schema.upgrade` opens the connection."""

from alembic import context

from shared.infra.schema import run_migrations
from shared.ledger.tables import metadata

run_migrations(context.config, metadata)

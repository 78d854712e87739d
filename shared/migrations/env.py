"""Alembic's entry for the ledger; `Schema.upgrade` opens the connection."""

from alembic import context

from shared.db import run_migrations
from shared.models import metadata

run_migrations(context.config, metadata)

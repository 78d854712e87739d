"""Alembic's entry: migrates on the connection that `shared.db.Schema.upgrade` opened."""

from __future__ import annotations

from alembic import context

from releases.tables import releases
from shared.db import run_migrations

run_migrations(context.config, releases.metadata)

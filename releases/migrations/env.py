"""Alembic's entry: migrates on the connection that `shared.infra.database.Schema.upgrade` opened."""

from __future__ import annotations

from alembic import context

from releases.tables.releases import releases
from shared.infra.schema import run_migrations

run_migrations(context.config, releases.metadata)

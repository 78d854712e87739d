"""Before the first request: settings checked, schema upgraded, the organization, projects and token of the environment."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import sqlalchemy as sa
from sqlalchemy.engine import Engine

from releases.tenancy import credentials, organizations
from shared.config.settings import Settings
from shared.errors import SchemaError, SettingsError
from shared.infra.database import CONNECTIONS, make_engine
from shared.infra.schema import Schema

SCHEMA = Schema(Path(__file__).parent / "migrations", "releases_alembic_version", remedy="python -m releases serve")


def open_database(settings: Settings) -> Engine:
    """An engine whose schema is this program's. Raises SettingsError in place of whatever the driver says."""
    engine = make_engine(
        settings.releases_database_url, "tagship-releases", connections=settings.database_connections or CONNECTIONS
    )
    try:
        SCHEMA.upgrade(engine)
    except (sa.exc.OperationalError, OSError) as problem:
        reason = str(getattr(problem, "orig", problem)).strip().splitlines()[0]
        raise SettingsError([f"RELEASES_DATABASE_URL cannot be opened: {reason}"]) from problem
    except SchemaError as problem:
        raise SettingsError([f"RELEASES_DATABASE_URL cannot be used: {problem}"]) from problem
    return engine


def seed(engine: Engine, settings: Settings) -> None:
    """Make what the environment names. Doing it again changes nothing. Raises SettingsError."""
    named = [("SENTRY_ORG", settings.sentry_org), *(("SENTRY_PROJECT", slug) for slug in settings.sentry_projects)]
    if faults := [f"{name} {fault}" for name, slug in named if (fault := organizations.slug_fault(slug))]:
        raise SettingsError(faults)
    now = datetime.now(UTC)
    with engine.begin() as connection:
        organization_id, _ = organizations.ensure_organization(connection, settings.sentry_org, now)
        for slug in settings.sentry_projects:
            organizations.ensure_project(connection, organization_id, slug, now)
        credentials.accept_setting(connection, organization_id, settings.sentry_auth_token, now)

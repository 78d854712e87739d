"""What integration tests speak with: a real target, the product's own HTTP client, the app's own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest
from flask.testing import FlaskClient
from sqlalchemy.engine import Engine

from shared.config.settings import Settings
from shared.infra.database import make_engine
from shared.infra.http_client import make_client
from shared.ledger.tables import SCHEMA
from tests.migrated import migrate
from tests.target import Target
from tests.webhook_calls import GITHUB
from webhook.app import create_app


@pytest.fixture
def target() -> Iterator[Target]:
    made = Target()
    yield made
    made.close()


@pytest.fixture
def http() -> Iterator[httpx2.Client]:
    with make_client() as client:
        yield client


@pytest.fixture
def client(engine: Engine, tmp_path: Path) -> Iterator[FlaskClient]:
    settings = Settings(
        data_dir=tmp_path,
        database_url=engine.url.render_as_string(hide_password=False),
        webhook_secrets={"github": (GITHUB,)},
        sentry_url="http://127.0.0.1:1",
        ops_token="op-token",
        ops_read_token="read-token",
    )
    app = create_app(settings)
    yield app.test_client()
    app.extensions["services"].notifier.stop(0.1)
    app.extensions["services"].engine.dispose()


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Engine]:
    engine = make_engine(f"sqlite:///{tmp_path / 'ledger.sqlite3'}")
    migrate(engine, SCHEMA)
    yield engine
    engine.dispose()

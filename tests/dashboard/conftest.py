"""The app over a migrated database of each kind, clients that are signed in, and a browser with a stack to look at."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy.engine import Engine

from shared.infra.database import make_engine
from shared.ledger.tables import SCHEMA
from tests.dashboard import ledger
from tests.dashboard.browser import opened, served
from tests.dashboard.browser_stack import Stack
from tests.dashboard.ledger import OPERATOR, VIEWER
from tests.migrated import migrate
from tests.target import Target
from webhook.app import create_app


@pytest.fixture
def app(engine: Engine) -> Iterator[Flask]:
    made = create_app(ledger.made_settings(engine), ledger.rules())
    yield made
    made.extensions["services"].notifier.stop()
    made.extensions["services"].engine.dispose()


@pytest.fixture
def stranger(app: Flask) -> FlaskClient:
    return app.test_client()


@pytest.fixture
def operator(app: Flask) -> FlaskClient:
    client = app.test_client()
    assert ledger.sign_in(client).status_code == 303
    return client


@pytest.fixture
def viewer(app: Flask) -> FlaskClient:
    client = app.test_client()
    assert ledger.sign_in(client, ledger.VIEWER).status_code == 303
    return client


@pytest.fixture
def filled(engine: Engine) -> ledger.Filled:
    return ledger.fill(engine, ledger.rules())


@pytest.fixture
def stack(tmp_path: Path) -> Iterator[Stack]:
    target, url = Target(), f"sqlite:///{tmp_path / 'ledger.sqlite3'}"
    engine = make_engine(url)
    migrate(engine, SCHEMA)
    environ = {
        "DATA_DIR": str(tmp_path),
        "DATABASE_URL": url,
        "GITHUB_WEBHOOK_SECRET": "s",
        "OPS_TOKEN": OPERATOR,
        "OPS_READ_TOKEN": VIEWER,
        "SENTRY_AUTH_TOKEN": "t",
        "SENTRY_ORG": "acme",
        "SENTRY_PROJECT": "app",
        "SENTRY_URL": target.url,
    }
    config = tmp_path / "tagship.toml"
    config.write_text(
        f'[targets.main]\nurl = "{target.url}"\norg = "acme"\ntoken_env = "SENTRY_AUTH_TOKEN"\n'
        '[[rules]]\nname = "tags"\nrepo = "github:*"\nrefs = ["refs/tags/*"]\ntarget = "main"\nprojects = ["app"]\n'
    )
    with served({**environ, "TAGSHIP_CONFIG": str(config)}) as address:
        yield Stack(address, engine, ledger.rules(target.url), target)
    engine.dispose()
    target.close()


@pytest.fixture
def browser() -> Iterator[Any]:
    with opened() as made:
        yield made

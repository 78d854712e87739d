"""The app over a migrated database of each kind, and clients that are signed in."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy.engine import Engine

from tests.dashboard import ledger
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

"""The receiver with everything on, over a database of its own; SQLite throughout, since nothing here depends on its kind."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from flask import Flask
from sqlalchemy.engine import Engine

from shared.infra.database import make_engine
from shared.ledger.tables import SCHEMA
from tests.migrated import migrate
from tests.security.door import Door, made_settings, rules
from webhook.app import create_app


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    made = make_engine(f"sqlite:///{tmp_path / 'ledger.sqlite3'}")
    migrate(made, SCHEMA)
    yield made
    made.dispose()


@pytest.fixture
def open_door(engine: Engine) -> Iterator[Callable[..., Door]]:
    """Makes receivers over the same ledger; keywords are settings, `sources` go into the rules."""
    made: list[Flask] = []

    def build(**fields: object) -> Door:
        sources = fields.pop("sources", ())
        app = create_app(made_settings(engine, **fields), rules(sources))
        made.append(app)
        return Door(app, engine)

    yield build
    for app in made:
        app.extensions["services"].notifier.stop()
        app.extensions["services"].engine.dispose()


@pytest.fixture
def door(open_door: Callable[..., Door]) -> Door:
    return open_door()

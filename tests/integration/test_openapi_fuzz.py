"""schemathesis over /openapi.json: never a 5xx, never an undocumented status or shape, nothing for those without the token."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from typing import Any

import pytest
import schemathesis
import sqlalchemy as sa
from flask import Flask
from hypothesis import HealthCheck, given
from hypothesis import strategies as st
from schemathesis.specs.openapi import checks as openapi_checks

from shared.infra.database import make_engine
from shared.ledger.tables import SCHEMA, jobs, metadata
from tests.builders import examples, payload, payload_files
from tests.builders import settings as made_settings
from tests.dashboard import ledger
from tests.databases import EACH_DATABASE
from tests.migrated import migrate_empty
from webhook.app import create_app

pytest_plugins = ["schemathesis.pytest.plugin"]  # collects what `schema.parametrize` marks

OPERATOR, VIEWER = ({"Authorization": f"Bearer {token}"} for token in (ledger.OPERATOR, ledger.VIEWER))
CONFIGS = ["", '[[rules]]\nrepo = "*:*"\nprojects = ["a"]', '[[rules]]\nrepo = "x"', "rules = ["]


@pytest.fixture(scope="module", params=EACH_DATABASE)
def app(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Flask]:
    """The app over a ledger with something of everything, which lives through a whole module of generated calls."""
    url = f"sqlite:///{tmp_path_factory.mktemp('lasting') / 'ledger.sqlite3'}"
    if request.param == "postgresql":
        url = str(request.getfixturevalue("postgres_url"))
    engine = make_engine(url)
    migrate_empty(engine, SCHEMA, metadata)
    ledger.fill(engine, ledger.rules())
    app = create_app(ledger.made_settings(engine), ledger.rules())
    yield app
    app.extensions["services"].notifier.stop()
    app.extensions["services"].engine.dispose()
    engine.dispose()


def described() -> dict[str, Any]:
    """The document without who may call: the test sends the tokens itself, the right one and others."""
    app = create_app(made_settings(database_url="sqlite:///none.sqlite3"))
    found: dict[str, Any] = json.loads(json.dumps(app.extensions["openapi"]))
    del found["components"]["securitySchemes"]
    for calls in found["paths"].values():
        for call in calls.values():
            del call["security"]
    return found


schema = schemathesis.openapi.from_dict(described())
schema.config.phases.coverage.unexpected_methods = set()  # GET /metrics by POST: 405, as everywhere
schema.config.generation.update(modes=[schemathesis.GenerationMode.POSITIVE, schemathesis.GenerationMode.NEGATIVE])
CHECKS = [
    schemathesis.checks.not_a_server_error,
    openapi_checks.status_code_conformance,
    openapi_checks.content_type_conformance,
    openapi_checks.response_schema_conformance,
]


def aim(app: Flask, case: Any) -> None:
    """Half of the calls name something that exists: else nearly all would be a 404."""
    chance = random.Random(repr((case.path_parameters, case.query, case.body)))
    with app.extensions["services"].engine.begin() as connection:
        there = {"job_id": list(connection.execute(sa.select(jobs.c.id)).scalars())}
    there |= {"delivery_id": ["d-failed", "d-ignored", "d-refused"], "name": ["main", "eu", "github"]}
    for name, found in there.items():
        if name in case.path_parameters and chance.random() < 0.5:
            case.path_parameters[name] = chance.choice(found)
    if isinstance(case.body, dict) and "config" in case.body and chance.random() < 0.5:
        case.body["config"] = chance.choice(CONFIGS)


@schema.parametrize()
@examples(20, *HealthCheck)
def test_every_call_answers_as_described(app: Flask, case: Any) -> None:
    aim(app, case)
    if case.path.startswith(("/api", "/metrics")):
        assert case.call(app=app, base_url="http://localhost").status_code == 401
        if case.method == "POST":
            assert case.call(app=app, base_url="http://localhost", headers=VIEWER).status_code == 403
    response = case.call(app=app, base_url="http://localhost", headers=OPERATOR)
    case.validate_response(response, checks=CHECKS)


@examples(40, *HealthCheck)
@given(
    file=st.sampled_from([(provider, file.stem) for provider in ("github", "gitlab") for file in payload_files(provider)]),
    event=st.sampled_from(["push", "tag_push", "ping", "system", "Push Hook", "x"]),
    config=st.none() | st.sampled_from(CONFIGS) | st.text(max_size=50),
)
def test_explaining_any_real_payload_answers_as_described(
    app: Flask, file: tuple[str, str], event: str, config: str | None
) -> None:
    body: dict[str, Any] = {
        "provider": file[0],
        "event": event,
        "payload": payload(*file),
        **({"config": config} if config is not None else {}),
    }
    case = schema["/api/v1/explain"]["POST"].Case(body=body, media_type="application/json")
    case.call_and_validate(app=app, base_url="http://localhost", headers=OPERATOR, checks=CHECKS)

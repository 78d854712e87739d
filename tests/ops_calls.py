"""Calls of the ops API through Flask's client, as operator unless said otherwise."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

from flask.testing import FlaskClient
from sqlalchemy.engine import Engine

from tests.ledger_rows import claim, fail
from tests.webhook_calls import send, tag

OPERATOR, VIEWER = {"Authorization": "Bearer op-token"}, {"Authorization": "Bearer read-token"}


def get(client: FlaskClient, path: str, status: int = 200) -> Any:
    answer = client.get(f"/api/v1/{path}", headers=OPERATOR)
    assert answer.status_code == status, answer.text
    return answer.get_json(force=True)


def post(client: FlaskClient, path: str, body: object = None, status: Any = 202, **headers: str) -> Any:
    raw = None if body is None else body if isinstance(body, str) else json.dumps(body)
    answer = client.post(f"/api/v1/{path}", data=raw, headers={**OPERATOR, **headers})
    assert answer.status_code == status, answer.text
    return answer.get_json(force=True)


def sent(client: FlaskClient, name: str = "v1.0.0", delivery_id: str | None = None) -> str:
    return str(send(client, tag(name, delivery_id)).get_json()["jobs"][0])


def failed(client: FlaskClient, engine: Engine, name: str = "v1.0.0", delivery_id: str | None = None) -> str:
    job = claim(engine, sent(client, name, delivery_id), datetime.now(UTC))
    assert job is not None
    assert fail(engine, job)
    return job.id

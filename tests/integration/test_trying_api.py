"""`explain` and `what-if` over the API: the same answers as the command line, from hostile bodies, with nothing written."""

from __future__ import annotations

import json
from typing import Any

import pytest
import sqlalchemy as sa
from flask.testing import FlaskClient
from sqlalchemy.engine import Engine

from shared.ledger.tables import metadata
from tests.builders import payload
from tests.databases import ON_SQLITE
from tests.ops_calls import VIEWER, post, sent

CHANGED = '[[rules]]\nrepo = "*:*"\nprojects = ["web"]\nrelease = "shop@{tag}"\n'
TAG = payload("github", "push__annotated_tag")


def written(engine: Engine) -> dict[str, int]:
    with engine.begin() as connection:
        return {
            table.name: connection.execute(sa.select(sa.func.count()).select_from(table)).scalar_one()
            for table in metadata.sorted_tables
        }


def test_explain_tells_verdict_rules_and_the_exact_body(client: FlaskClient, engine: Engine) -> None:
    before = written(engine)
    said = post(client, "explain", {"provider": "github", "event": "push", "payload": TAG}, status=200)
    assert (said["status"], said["repository"], said["why"][0]["matched"]) == (
        "accepted", f"github:{TAG['repository']['full_name']}", True,
    )  # fmt: skip
    (release,) = said["releases"]
    assert (release["target"], release["url"], release["body"]["version"]) == (
        "default", "http://127.0.0.1:1", TAG["ref"].removeprefix("refs/tags/"),
    )  # fmt: skip
    assert written(engine) == before


def test_explain_by_another_config(client: FlaskClient) -> None:
    said = post(client, "explain", {"provider": "github", "payload": TAG, "config": CHANGED}, status=200)
    assert said["releases"][0]["body"]["version"].startswith("shop@")
    assert said["releases"][0]["body"]["projects"] == ["web"]


def test_explain_guesses_gitlabs_event(client: FlaskClient) -> None:
    body = {"provider": "gitlab", "payload": payload("gitlab", "tag_push_hook__annotated")}
    assert post(client, "explain", body, status=200)["event"] == "Tag Push Hook"
    post(client, "explain", {"provider": "gitlab", "payload": {}}, status=400)


def test_what_if_lists_what_changes_and_writes_nothing(client: FlaskClient, engine: Engine) -> None:
    sent(client, "v1", "d-1")
    before = written(engine)
    said = post(client, "what-if", {"config": CHANGED, "last": 10}, status=200)
    assert {word: said[word] for word in ("looked_at", "expired", "changed", "is_cut")} == {
        "looked_at": 1, "expired": 0, "changed": 1, "is_cut": False,
    }  # fmt: skip
    (item,) = said["items"]
    assert (item["id"], item["before"]["releases"][0]["version"], item["after"]["releases"][0]["version"]) == (
        "d-1", "v1", "shop@v1",
    )  # fmt: skip
    assert written(engine) == before


@pytest.mark.parametrize(
    ("path", "body", "named"),
    [
        ("explain", {}, "provider"),
        ("explain", {"provider": "gitea", "payload": {}}, "provider must be one of github, gitlab"),
        ("explain", {"provider": 7, "payload": {}}, "provider"),
        ("explain", {"provider": "github"}, "payload"),
        ("explain", {"provider": "github", "payload": []}, "payload"),
        ("explain", {"provider": "github", "payload": {"ref": 7}}, "payload: repository"),
        ("explain", {"provider": "github", "payload": {}, "event": "x" * 101}, "event"),
        ("explain", {"provider": "github", "payload": TAG, "config": "rules = 7"}, "config: rules"),
        ("explain", {"provider": "github", "payload": TAG, "config": 7}, "config"),
        ("explain", {"provider": "github", "payload": TAG, "configuration": ""}, "configuration"),
        ("explain", '{"provider": "github", "payload": {"a": NaN}}', "JSON"),
        ("explain", '{"provider": "github", "payload": {"a": 1e400}}', "payload: holds a number that is too large"),
        ("explain", '{"provider": "github", "payload": ' + '{"a": ' * 150 + "1" + "}" * 151, "nested"),
        ("explain", {"provider": "github", "payload": {"a": "x" * 5_000_001}}, "payload is longer"),
        ("what-if", {}, "config"),
        ("what-if", {"config": None}, "config"),
        ("what-if", {"config": CHANGED, "last": 0}, "last"),
        ("what-if", {"config": CHANGED, "last": 1_001}, "last"),
        ("what-if", {"config": CHANGED, "last": True}, "last"),
        ("what-if", {"config": CHANGED, "last": "5"}, "last"),
        ("what-if", {"config": "x" * 70_000}, "config"),
        ("what-if", {"config": '[[rules]]\nrepo = "x"'}, "rules[0].repo"),
    ],
)
@ON_SQLITE
def test_each_fault_is_400_and_names_its_field(client: FlaskClient, path: str, body: Any, named: str) -> None:
    assert named in post(client, path, body, status=400)["detail"]


@pytest.mark.parametrize("path", ["explain", "what-if"])
def test_the_reading_token_may_not_try(client: FlaskClient, path: str) -> None:
    assert client.post(f"/api/v1/{path}", data=json.dumps({"config": ""}), headers=VIEWER).status_code == 403
    assert client.post(f"/api/v1/{path}").status_code == 401

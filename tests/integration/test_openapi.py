"""The description of the API: open to anyone, of exactly what is served, with the words that the code uses."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
import schemathesis
from flask import Flask
from flask.testing import FlaskClient

from shared.domain.filters import DELIVERY_STATUSES, DELIVERY_WORDS, JOB_WORDS, PAGE_WORDS
from shared.domain.job_states import JobState, Outcome, Trigger
from shared.domain.job_warnings import WarningCode
from shared.domain.reasons import PARTIES, Reason
from tests.builders import settings
from tests.ops_calls import VIEWER
from webhook.app import create_app
from webhook.openapi.document import describe, path_of
from webhook.openapi.operation import Call, described
from webhook.ops.advice import ADVICE, WARNING_ADVICE

ROOT = Path(__file__).resolve().parents[2]
SERVED = ("/api", "/webhooks", "/healthz", "/readyz", "/metrics", "/openapi.json")


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Flask:
    return create_app(settings(database_url=f"sqlite:///{tmp_path_factory.mktemp('db') / 'none.sqlite3'}"))


@pytest.fixture(scope="module")
def document(app: Flask) -> dict[str, Any]:
    return dict(app.extensions["openapi"])


def test_it_names_every_address_and_method_and_none_beside(app: Flask, document: dict[str, Any]) -> None:
    served = {
        (path_of(rule.rule), method.lower())
        for rule in app.url_map.iter_rules()
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}
        if rule.rule.startswith(SERVED) and (rule.rule, method) != ("/webhooks/<name>", "GET")  # it only refuses
    }
    assert len(served) > 15
    assert {(path, method) for path, calls in document["paths"].items() for method in calls} == served


def test_an_address_without_a_description_stops_the_program(app: Flask) -> None:
    other = create_app(settings(database_url=app.extensions["services"].settings.database_url))
    other.add_url_rule("/api/v1/secret", "ops.secret", lambda: "", methods=["GET"])
    with pytest.raises(LookupError):
        describe(other)


def test_anyone_may_read_it(client: FlaskClient) -> None:
    answer = client.get("/openapi.json")
    assert (answer.status_code, answer.content_type) == (200, "application/json")
    assert answer.get_json()["openapi"] == "3.1.0"


def test_it_is_valid_openapi(document: dict[str, Any]) -> None:
    schemathesis.openapi.from_dict(document).validate()
    names = [call["operationId"] for calls in document["paths"].values() for call in calls.values()]
    assert len(names) == len(set(names))
    text = json.dumps(document)
    for name in re.findall(r'"#/components/schemas/(\w+)"', text):
        assert name in document["components"]["schemas"]


def test_every_parameter_of_an_address_is_described(document: dict[str, Any]) -> None:
    for path, calls in document["paths"].items():
        for method, call in calls.items():
            named = {parameter["name"] for parameter in call.get("parameters", []) if parameter["in"] == "path"}
            assert named == set(re.findall(r"\{(\w+)\}", path)), (method, path)


def test_who_may_call_is_what_the_app_allows(client: FlaskClient, document: dict[str, Any]) -> None:
    """Refusals come before anything else is looked at, so no address has to exist for this."""
    for path, calls in document["paths"].items():
        for method, call in calls.items():
            address = re.sub(r"\{\w+\}", "github" if path.startswith("/webhooks") else "x", path)
            body: dict[str, str] | None = {} if method == "post" else None
            stranger = client.open(address, method=method.upper(), json=body)
            viewer = client.open(address, method=method.upper(), json=body, headers=VIEWER)
            assert (stranger.status_code == 401) == (call["x-who"] != "anyone"), (method, path)
            assert (viewer.status_code == 403) == (call["x-who"] == "operator"), (method, path)


def test_the_words_are_those_of_the_code(document: dict[str, Any]) -> None:
    schemas = document["components"]["schemas"]
    job, attempt = schemas["Job"]["properties"], schemas["Attempt"]["properties"]
    assert job["status"]["enum"] == [state.value for state in JobState]
    assert job["reason"]["anyOf"][0]["enum"] == list(Reason)
    assert attempt["trigger"]["enum"] == [trigger.value for trigger in Trigger]
    assert attempt["outcome"]["anyOf"][0]["enum"] == [outcome.value for outcome in Outcome]
    for path, words, statuses in (
        ("/api/v1/jobs", JOB_WORDS, [*(state.value for state in JobState), "waiting"]),
        ("/api/v1/deliveries", DELIVERY_WORDS, list(DELIVERY_STATUSES)),
    ):
        parameters = {each["name"]: each["schema"] for each in document["paths"][path]["get"]["parameters"]}
        assert tuple(parameters) == words + PAGE_WORDS
        assert parameters["status"]["enum"] == statuses


def test_reasons_are_named_by_the_enumeration_alone_and_each_has_advice() -> None:
    given = set()
    for folder in ("shared", "webhook", "worker"):
        for file in (ROOT / folder).rglob("*.py"):
            text = file.read_text()
            assert not re.search(r"""(?:reason=|"code": |reason: str = |snooze\(now, )"[a-z_]+\"""", text), file
            given |= set(re.findall(r"\bReason\.([A-Z_]+)\b", text))
    assert given == set(Reason.__members__)
    assert set(PARTIES) == set(Reason)
    assert set(ADVICE) == {(code, party) for code, parties in PARTIES.items() for party in parties}
    assert list(WARNING_ADVICE) == list(WarningCode)


def test_no_secret_and_no_place_of_this_machine_stands_in_it(client: FlaskClient) -> None:
    text = client.get("/openapi.json").text
    for hidden in ("op-token", "read-token", "first-secret", "127.0.0.1", str(ROOT)):
        assert hidden not in text


def test_a_view_keeps_what_it_says_of_itself() -> None:
    call = Call(summary="s", who="operator", answers={}, body={}, problems={409: "c"})
    assert list(call.all_problems()) == [401, 403, 408, 409, 413, 429, 503]
    assert described(call)(test_a_view_keeps_what_it_says_of_itself).__tagship_call__ is call  # type: ignore[attr-defined]


def test_every_call_has_a_heading_that_is_explained_and_its_own_name(document: dict[str, Any]) -> None:
    known = [tag["name"] for tag in document["tags"]]
    calls = [call for methods in document["paths"].values() for call in methods.values()]
    assert len(known) == len(set(known)) > 5
    assert {tag for call in calls for tag in call["tags"]} == set(known)
    assert all(tag["description"] for tag in document["tags"])
    assert len({call["operationId"] for call in calls}) == len(calls)
    assert all(call["description"] for call in calls)
    assert document["servers"]
    assert all(any(status[0] in "23" for status in call["responses"]) for call in calls)

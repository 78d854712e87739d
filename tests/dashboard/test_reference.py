"""The API for people to read: open as the document is, of every call and shape in it, with no script."""

from __future__ import annotations

import re
from html import unescape

from flask import Flask
from flask.testing import FlaskClient

from webhook.dashboard.api_reference import fields, kind_of
from webhook.ops.advice import ADVICE


def test_anyone_may_read_every_call_and_every_shape(app: Flask, stranger: FlaskClient) -> None:
    answer = stranger.get("/reference")
    assert answer.status_code == 200
    text, document = unescape(answer.text), app.extensions["openapi"]
    for path, calls in document["paths"].items():
        for method, call in calls.items():
            assert f"<code>{method.upper()} {path}</code></h3>" in text
            assert call["summary"] in text
    for name, schema in document["components"]["schemas"].items():
        assert f'id="shape-{name}"' in text
        for field in schema["properties"]:
            assert f"<code>{field}</code>" in text
    for code, party in ADVICE:
        assert f"<dt><code>{code}</code></dt>" in text
        assert ADVICE[code, party] in text


def test_every_link_within_it_leads_somewhere(stranger: FlaskClient) -> None:
    text = stranger.get("/reference").text
    ids = re.findall(r'\bid="([^"]+)"', text)
    assert len(ids) == len(set(ids))
    assert set(re.findall(r'href="#([^"]+)"', text)) <= set(ids)


def test_it_is_linked_from_every_page(operator: FlaskClient) -> None:
    assert 'href="/reference">API</a>' in operator.get("/").text
    assert 'aria-current="page">API</a>' in operator.get("/reference").text


def test_types_are_told_in_words() -> None:
    time = {"type": "string", "format": "date-time"}
    schema = {
        "properties": {
            "at": {"anyOf": [time, {"type": "null"}], "description": "when"},
            "jobs": {"type": "array", "items": {"$ref": "#/components/schemas/Job"}},
            "why": {"type": "object", "properties": {"is": {"enum": ["a", "b"]}}},
        },
        "required": ["at"],
    }
    assert [(one["name"], one["kind"]["text"], one["is_optional"]) for one in fields(schema)] == [
        ("at", "time or null", False),
        ("jobs", "list of Job", True),
        ("why", "object", True),
        ("why.is", "a | b", True),
    ]
    assert kind_of({"type": "integer", "minimum": 1, "maximum": 9})["text"] == "whole number 1 to 9"
    assert kind_of({})["text"] == "anything"

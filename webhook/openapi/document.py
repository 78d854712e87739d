"""/openapi.json: made of the app's own routes and what each view says of itself, so it cannot differ from what is served."""

from __future__ import annotations

import re
from typing import Any

from flask import Flask, Response, jsonify, request

from shared.forges import PROVIDERS
from webhook.openapi.components import COMPONENTS
from webhook.openapi.operation import Answer, Call, Parameter, described, description_of
from webhook.openapi.schema_helpers import ref

Json = dict[str, Any]

_METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")
_PAGES = "dashboard."  # endpoints of pages for people: not part of the API
_PROBLEM = "application/problem+json"
_INTRODUCTION = (
    "Webhooks come in under /webhooks. Everything under /api and /metrics needs a token (Authorization: Bearer ...): "
    "OPS_TOKEN may do everything, OPS_READ_TOKEN may GET. Lists are newest first; an empty parameter counts as absent. "
    "Times are RFC 3339 in UTC. Refusals are RFC 9457 problems."
)
# The first word of a path behind its prefix -> the heading under which generated clients and the reference put it.
GROUPS = {
    "deliveries": ("Deliveries", "What arrived, and why it did or did not become a release."),
    "jobs": ("Jobs", "One push for one target, with its attempts."),
    "replays": ("Replays", "Progress of what was asked for many jobs at once."),
    "releases": ("Releases", "What was made at the targets."),
    "repositories": ("Repositories", "Who pushes, and what is missing there."),
    "search": ("Search", "Everything that a name names."),
    "targets": ("Targets", "Where releases are made."),
    "rules": ("Rules", "Which pushes become releases."),
    "explain": ("Rules", ""),
    "what-if": ("Rules", ""),
    "audit": ("Audit log", "Who did what."),
    "stats": ("Process", ""),
    "webhooks": ("Webhooks", "What GitHub and GitLab send."),
}
REST = ("Process", "Whether it works, and how much it did.")
_SECURITY: dict[str, list[Json]] = {
    "anyone": [],
    "sender": [{name: []} for provider in PROVIDERS.values() for name in provider.proofs],
    "viewer": [{"viewer": []}, {"operator": []}],
    "operator": [{"operator": []}],
}
_SCHEMES: Json = {
    "operator": {"type": "http", "scheme": "bearer", "description": "OPS_TOKEN"},
    "viewer": {"type": "http", "scheme": "bearer", "description": "OPS_READ_TOKEN"},
    **{name: scheme for provider in PROVIDERS.values() for name, scheme in provider.proofs.items()},
}


def register(app: Flask) -> None:
    """Serve the document. After every other address is there. Raises LookupError for a view without a description."""

    @app.get("/openapi.json", endpoint="openapi")
    @described(
        Call(
            summary="This document",
            who="anyone",
            answers={200: Answer("OpenAPI 3.1.", {"type": "object"})},
        )
    )
    def show_document() -> Response:
        server = app.extensions["services"].settings.public_url or request.script_root or "/"
        return jsonify({**app.extensions["openapi"], "servers": [{"url": server}]})

    app.extensions["openapi"] = describe(app)


def describe(app: Flask) -> Json:
    """The document of all addresses of this app but the pages."""
    paths: dict[str, Json] = {}
    for rule in sorted(app.url_map.iter_rules(), key=lambda rule: rule.rule):
        if rule.endpoint.startswith(_PAGES):
            continue
        call = description_of(app.view_functions[rule.endpoint])
        if not call.answers:  # it only refuses, in words for a person
            continue
        for method in sorted(set(_METHODS) & (rule.methods or set())):
            name = rule.endpoint.rpartition(".")[2]
            paths.setdefault(path_of(rule.rule), {})[method.lower()] = _operation(call, name, group_of(rule.rule))
    told = {name: meaning for name, meaning in (*GROUPS.values(), REST) if meaning}
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Tagship",
            "version": "1",
            "description": _INTRODUCTION,
            "contact": {"name": "Whoever operates this server"},
        },
        "servers": [{"url": "/", "description": "This server."}],
        "tags": [{"name": name, "description": meaning} for name, meaning in told.items()],
        "paths": paths,
        "components": {"schemas": COMPONENTS, "securitySchemes": _SCHEMES},
    }


def path_of(rule: str) -> str:
    """`/api/v1/jobs/{job_id}` of Flask's `/api/v1/jobs/<job_id>`."""
    return re.sub(r"<(?:[a-z_]+:)?([a-z_]+)>", r"{\1}", rule)


def group_of(path: str) -> str:
    """The heading of a path."""
    return GROUPS.get(path.removeprefix("/api/v1").split("/")[1], REST)[0]


def _operation(call: Call, name: str, group: str) -> Json:
    found: Json = {
        "summary": call.summary,
        "description": call.detail or f"{call.summary}.",
        "operationId": name,
        "tags": [group],
        "security": _SECURITY[call.who],
        "x-who": call.who,
    }
    if parameters := _parameters(call):
        found["parameters"] = parameters
    if call.body is not None:
        content = {kind: {"schema": call.body} for kind in call.body_types}
        found["requestBody"] = {"required": call.is_body_required, "content": content}
    found["responses"] = {
        **{str(status): _answer(answer) for status, answer in sorted(call.answers.items())},
        **{str(status): _answer(Answer(when, ref("Problem"), _PROBLEM)) for status, when in call.all_problems().items()},
    }
    return found


def _parameters(call: Call) -> list[Json]:
    return [
        _parameter(parameter, place)
        for place, parameters in (("path", call.path), ("query", call.query), ("header", call.headers))
        for parameter in parameters
    ]


def _parameter(parameter: Parameter, place: str) -> Json:
    return {
        "name": parameter.name,
        "in": place,
        "required": place == "path" or parameter.is_required,
        "schema": parameter.schema,
        "description": parameter.meaning,
    }


def _answer(answer: Answer) -> Json:
    return {"description": answer.meaning, "content": {answer.media_type: {"schema": answer.schema or {}}}}

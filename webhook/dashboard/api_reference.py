"""/reference: the API for people to read, made of the same document as /openapi.json. Open to anyone, as that is."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from flask import Response, current_app

from shared.domain.reasons import PARTIES
from webhook.dashboard.blueprint import blueprint, page
from webhook.http.problem_codes import PROBLEMS
from webhook.openapi.document import GROUPS, REST
from webhook.ops.advice import ADVICE

Json = dict[str, Any]


@blueprint.get("/reference")
def show_reference() -> Response:
    document: Json = current_app.extensions["openapi"]
    schemas = {name: list(fields(schema)) for name, schema in document["components"]["schemas"].items()}
    return page(
        "reference.html",
        about=document["info"]["description"],
        groups=grouped(document["paths"]),
        schemas=schemas,
        advice_by_code=advice_by_code(),
        schemes=document["components"]["securitySchemes"],
    )


@blueprint.get("/reference/problems")
def show_problems() -> Response:
    """What each `code` of a problem means; its `type` leads here."""
    return page("problems.html", problems=PROBLEMS)


def advice_by_code() -> dict[str, dict[str, str]]:
    """{reason code: {party: what to do}}."""
    return {code: {party: ADVICE[code, party] for party in parties} for code, parties in PARTIES.items()}


def grouped(paths: Json) -> dict[str, list[Json]]:
    """{heading: calls}, each call with its method, path and the fields of its body."""
    found: dict[str, list[Json]] = {heading: [] for heading, _ in (*GROUPS.values(), REST)}
    for path, calls in paths.items():
        for method, call in calls.items():
            shown = {**call, "method": method.upper(), "path": path, "anchor": call["operationId"].replace("_", "-")}
            body = next(iter(call["requestBody"]["content"].values()))["schema"] if "requestBody" in call else None
            shown["fields"] = list(fields(body)) if body else []
            shown["parameters"] = [
                {**each, "kind": kind_of(each["schema"])} for each in call.get("parameters", ()) if each["in"] != "path"
            ]
            shown["answers"] = [
                {"status": status, "meaning": answer["description"], **_told(answer)}
                for status, answer in call["responses"].items()
            ]
            found[call["tags"][0]].append(shown)
    return found


def _told(answer: Json) -> Json:
    """What comes: fields that stand in the answer itself, or the name of a shape that is described once, below."""
    ((media_type, content),) = answer["content"].items()
    schema = content["schema"]
    if media_type.endswith("problem+json"):
        return {"kind": {"text": "problem", "shape": None}, "fields": []}
    return {"kind": kind_of(schema), "fields": list(fields(schema)) if "$ref" not in schema else []}


def fields(schema: Json, prefix: str = "") -> Iterator[Json]:
    """{"name", "kind", "meaning", "is_optional"} of each field, those of inner objects as `range.source`, `items[].id`."""
    required = schema.get("required", ())
    for name, inner in schema.get("properties", {}).items():
        yield {
            "name": prefix + name,
            "kind": kind_of(inner),
            "meaning": inner.get("description", ""),
            "is_optional": name not in required,
        }
        bare = without_null(inner)
        if bare.get("type") == "array":
            yield from fields(without_null(bare["items"]), f"{prefix}{name}[].")
        else:
            yield from fields(bare, f"{prefix}{name}.")


def without_null(schema: Json) -> Json:
    """The schema behind `this, or null`."""
    for inner in schema.get("anyOf", ()):
        if inner != {"type": "null"}:
            return dict(inner)
    return schema


def kind_of(schema: Json) -> Json:
    """{"text", "shape"}: the type in words, and the name of the shape that it links to, if any."""
    bare = without_null(schema)
    null = " or null" if "anyOf" in schema else ""
    if "$ref" in bare:
        name = bare["$ref"].rpartition("/")[2]
        return {"text": name + null, "shape": name}
    if "enum" in bare:
        return {"text": " | ".join(bare["enum"]) + null, "shape": None}
    if bare.get("type") == "array":
        inner = kind_of(bare["items"])
        return {"text": f"list of {inner['text']}{null}", "shape": inner["shape"]}
    if bare.get("format") == "date-time":
        return {"text": f"time{null}", "shape": None}
    words = {"string": "text", "integer": "whole number", "boolean": "true or false", None: "anything"}
    kind = words.get(bare.get("type"), str(bare.get("type")))
    low, high = bare.get("minimum"), bare.get("maximum")
    return {"text": kind + (f" {low} to {high}" if high is not None else "") + null, "shape": None}

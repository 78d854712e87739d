"""Pieces of the API's description: schemas, parameters, operations with every status they may answer. Pure."""

from __future__ import annotations

from typing import Any

Json = dict[str, Any]


def text_schema(longest: int | None = None, *, null: bool = True, blank: bool = True) -> Json:
    found: Json = {"type": ["string", "null"] if null else "string"}
    if longest is not None:
        found["maxLength"] = longest
    if not blank:
        found["minLength"] = 1
    return found


def object_schema(properties: Json, *required: str) -> Json:
    return {"type": "object", "properties": properties, "required": list(required)}


def ref(name: str) -> Json:
    return {"$ref": f"#/components/schemas/{name}"}


def listing(name: str) -> Json:
    return {"type": "array", "items": ref(name)}


def parameter(name: str, schema: Json) -> Json:
    return {"name": name, "in": "query", "schema": schema}


def operation(summary: str, status: str, schema: Json | None, *, body: str = "", query: list[Json] | None = None) -> Json:
    """One operation with every status it may answer."""
    found: Json = {"summary": summary, "responses": {}}
    if body:
        found["requestBody"] = {"required": True, "content": {"application/json": {"schema": ref(body)}}}
        found["requestBody"]["description"] = "A form with the same fields is read, too."
    if query:
        found["parameters"] = query
    for code in status.split():
        found["responses"][code] = response("Well", schema)
    refusals = {"400": "Faults", "401": "Detail", "403": "Detail", "404": "Detail", "406": "Detail", "503": "Detail"}
    refusals |= {"409": "Detail", "415": "Detail"} if body else {}
    for code, name in refusals.items():
        found["responses"].setdefault(code, response("Refused", ref(name)))
    found["responses"]["429"] = {"description": "Too many requests, where the limit is switched on"}
    return found


def response(description: str, schema: Json | None) -> Json:
    return {"description": description} | ({"content": {"application/json": {"schema": schema}}} if schema else {})


def path_item(*names: str, **calls: Json) -> Json:
    parameters = [{"name": name, "in": "path", "required": True, "schema": STRING | {"minLength": 1}} for name in names]
    return {"parameters": parameters, **calls}


STRING: Json = {"type": "string"}
SEARCH = [parameter("query", STRING)]
PAGING = [
    parameter("per_page", {"type": "integer", "minimum": 1, "maximum": 100}),
    parameter("cursor", STRING | {"pattern": "^-?[0-9]+:-?[0-9]+:[01]$"}),
]

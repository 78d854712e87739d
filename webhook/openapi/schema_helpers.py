"""JSON Schema in short words, for descriptions of what the API takes and gives. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from shared.domain.provider_settings import PROVIDER_NAMES

Json = dict[str, Any]

TEXT: Json = {"type": "string"}
COUNT: Json = {"type": "integer", "minimum": 0}
FLAG: Json = {"type": "boolean"}


def maybe(schema: Json) -> Json:
    """This, or null."""
    return {"anyOf": [schema, {"type": "null"}]}


def one_of(words: Iterable[str]) -> Json:
    return {"type": "string", "enum": [str(word) for word in words]}


def told(schema: Json, meaning: str) -> Json:
    return {**schema, "description": meaning}


def several(schema: Json) -> Json:
    return {"type": "array", "items": schema}


def ref(name: str) -> Json:
    return {"$ref": f"#/components/schemas/{name}"}


def shape(properties: Json, optional: Iterable[str] = ()) -> Json:
    """An object of exactly these keys, all of them there but the optional ones."""
    absent = set(optional)
    required = [name for name in properties if name not in absent]
    return {"type": "object", "properties": properties, "required": required, "additionalProperties": False}


def page_of(name: str) -> Json:
    return shape({"items": several(ref(name)), "next_cursor": told(maybe(TEXT), "null on the last page")})


PROVIDER = one_of(PROVIDER_NAMES)
DELIVERY_ID: Json = {"type": "string", "minLength": 1, "maxLength": 200}

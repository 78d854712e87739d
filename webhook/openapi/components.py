"""The named JSON Schemas of the document, made of the types in `webhook/ops/shapes.py`. Pure."""

from __future__ import annotations

from typing import Any

from pydantic import TypeAdapter

from shared.domain import filters
from webhook.openapi.schema_helpers import TEXT, maybe, one_of
from webhook.ops import overview_shapes, process_shapes, shapes, trial_shapes

Json = dict[str, Any]

_PREFIX = "#/components/schemas/"
_NAMED = (
    *(shapes.Problem, shapes.Job, shapes.Attempt, shapes.JobWithHistory, shapes.Delivery, shapes.Search, shapes.RuleTried),
    *(shapes.WholeDelivery, shapes.Target, shapes.TargetCheck, shapes.Replay, shapes.Stats),
    *(trial_shapes.Explanation, trial_shapes.WhatIf),
    *(
        shapes.Receipt,
        shapes.Readiness,
        overview_shapes.Release,
        overview_shapes.KnownRepository,
        overview_shapes.RepositoryWithTags,
    ),
    *(overview_shapes.ListedRule, overview_shapes.AuditEntry, process_shapes.Process, process_shapes.ConfigStatus),
)
_JOB_FILTER: Json = {
    "type": "object",
    "properties": {
        **{word: maybe(TEXT) for word in filters.JOB_WORDS},
        "status": maybe(one_of((*filters.JOB_STATUSES, ""))),
        "warning": maybe(one_of((*filters.WARNING_CODES, ""))),
    },
    "additionalProperties": False,
    "minProperties": 1,
    "description": "The words of the list of jobs; at least one of them, not empty.",
}


def _make() -> Json:
    """{name: schema}. A shape that only one other holds stands inside it; each is exactly its keys and no others."""
    names = [shape.__name__ for shape in _NAMED]
    adapters = [(name, "validation", TypeAdapter[Any](shape)) for name, shape in zip(names, _NAMED, strict=True)]
    _, whole = TypeAdapter.json_schemas(adapters, ref_template=_PREFIX + "{model}")  # type: ignore[arg-type]
    known = whole["$defs"]

    def plain(schema: Any) -> Any:
        if isinstance(schema, list):
            return [plain(inner) for inner in schema]
        if not isinstance(schema, dict):
            return schema
        inner_name = str(schema.get("$ref", "")).removeprefix(_PREFIX)
        if inner_name and inner_name not in names:
            return plain({**known[inner_name], **{key: value for key, value in schema.items() if key != "$ref"}})
        kept = {key: plain(value) for key, value in schema.items() if not (key == "title" and isinstance(value, str))}
        return {**kept, "additionalProperties": False} if "properties" in kept else kept

    return {name: plain(known[name]) for name in names}


COMPONENTS: Json = {**_make(), "JobFilter": _JOB_FILTER}

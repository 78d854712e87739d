"""The words of filters and pages of lists, and what each means: one text for command line and API."""

from __future__ import annotations

from typing import Any

from shared.domain import filters
from webhook.openapi.operation import Parameter
from webhook.openapi.schema_helpers import TEXT, one_of

MEANING = {
    "status": "Only with this status; of jobs, waiting is queued or retrying.",
    "repository": "Only of this repository: acme/shop, or github:acme/shop.",
    "target": "Only for this target.",
    "reason": "Only with this reason code; none: without one.",
    "waiting": "Only what waits with this code, as `waiting.code` has it; none: for its turn, or for a paused target.",
    "replay": "Only what this bulk replay or recollect took, by its number.",
    "warning": "Only with a warning of this code.",
    "provider": "Only from this provider.",
    "since": "Only since this time (RFC 3339) or for this long: 2h, 3d.",
    "limit": f"How many at most, 1 to {filters.MOST} (default {filters.DEFAULT_LIMIT}).",
    "cursor": "Go on from here: the next_cursor of the page before.",
}
_LIMIT: dict[str, Any] = {"type": "integer", "minimum": 1, "maximum": filters.MOST, "default": filters.DEFAULT_LIMIT}


def parameters(words: tuple[str, ...], statuses: tuple[str, ...] = ()) -> tuple[Parameter, ...]:
    """The words as parameters of a query."""
    schemas = {"limit": _LIMIT, "status": one_of(statuses), "warning": one_of(filters.WARNING_CODES)}
    return tuple(Parameter(word, schemas.get(word, TEXT), MEANING[word]) for word in words)

"""JSON for columns, answers and log lines: a quick writer and reader, and the standard library for what they refuse."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from pydantic_core import from_json, to_json


def write_json(value: Any, fallback: Callable[[Any], Any] | None = None) -> str:
    """`fallback` makes something else of a value that JSON has no form for; without it such a value raises TypeError or
    ValueError. A lone surrogate, which git's messages and paths may hold, is written as its escape."""
    try:
        return to_json(value, fallback=fallback).decode()
    except ValueError:
        text = json.dumps(value, ensure_ascii=False, default=fallback)
        return text.encode("utf-8", "backslashreplace").decode()


def read_json(text: str | bytes) -> Any:
    """Raises ValueError. A list of rows has two columns of JSON each, and reading them was a third of what the list cost."""
    try:
        return from_json(text, cache_strings="keys")
    except ValueError:
        return json.loads(text)

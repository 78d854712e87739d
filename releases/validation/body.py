"""Request bodies: bytes or form fields to JSON values, refusing what the standard does not know. Pure."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import Any, NoReturn


class BodyError(ValueError):
    """Not JSON; the text goes into `detail`."""


def _refuse(name: str) -> NoReturn:
    raise ValueError(f"Out of range float values are not JSON compliant: {name!r}")


def read_json(raw: bytes) -> object:
    """The value in a UTF-8 body; an empty body means an empty object, as the original reads it. Raises BodyError."""
    if not raw:
        return {}
    try:
        return json.loads(raw.decode("utf-8"), parse_constant=_refuse)
    except RecursionError:
        raise BodyError("JSON parse error - nested too deeply") from None
    except UnicodeDecodeError:
        raise BodyError("JSON parse error - not UTF-8") from None
    except ValueError as problem:  # also an integer of thousands of digits
        raise BodyError(f"JSON parse error - {problem}") from None


_LISTS = ("projects", "commits", "refs", "headCommits")
_NOT_TEXT = ("dateReleased", "dateStarted", "dateFinished", "status")  # a form sends these as "" when they are left empty
_ELEMENT = re.compile(r"(?P<name>[A-Za-z]+)\[(?P<place>[0-9]{1,6})\](?P<key>\w*)")


def read_form(fields: Sequence[tuple[str, str]]) -> dict[str, Any]:
    """The object that form fields stand for: the last of a repeated field counts, the list fields are repeated or numbered.

    >>> read_form([("version", "1.0"), ("projects", "shop"), ("commits[0]id", "a1")])
    {'version': '1.0', 'projects': ['shop'], 'commits': [{'id': 'a1'}]}
    """
    found: dict[str, Any] = {}
    numbered: dict[str, dict[int, Any]] = {}
    for name, value in fields:
        element = _ELEMENT.fullmatch(name)
        if element is not None and element["name"] in _LISTS:
            _put(numbered.setdefault(element["name"], {}), int(element["place"]), element["key"], value)
        elif name in _LISTS:
            found.setdefault(name, []).append(value)
        elif value or name not in _NOT_TEXT:
            found[name] = value
    for name, elements in numbered.items():
        found.setdefault(name, [elements[place] for place in sorted(elements)])
    return found


def _put(elements: dict[int, Any], place: int, key: str, value: str) -> None:
    if not key:
        elements[place] = value
    elif isinstance(element := elements.setdefault(place, {}), dict):
        element[key] = value

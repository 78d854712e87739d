"""The `query` of the release list: text to conditions. Pure; `releases/store/search.py` makes SQL of them.

Keys: release, release.version, release.package, release.build, release.stage, finalized; `!` negates, `*` is a wildcard,
versions and builds take >, >=, <, <=. Everything else is text to be found inside a version.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

Operator = Literal["=", ">", ">=", "<", "<="]

KEYS = ("release", "release.version", "release.package", "release.build", "release.stage", "finalized")
_MOST_CONDITIONS = 20
_MOST_VALUES = 50  # of one condition: a database bounds how deep an expression may nest
_TOKEN = re.compile(r'(?P<no>!?)(?P<key>[A-Za-z_][A-Za-z0-9_.]*):(?P<value>"[^"]*"|\[[^\]]*\]|\S*)(?=\s|$)')
_OPERATOR = re.compile(r"(>=|<=|>|<)?(.*)", re.DOTALL)
_BUILD_IN_BRACKETS = re.compile(r"(.*\S)\s*\(([^()]*)\)", re.DOTALL)
_NUMBERS = re.compile(r"[0-9]{1,18}(?:\.[0-9]{1,18}){0,3}")


class QueryError(ValueError):
    """The sentence goes into `detail`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Condition:
    """`values`: any of them matches."""

    key: str
    operator: Operator
    values: tuple[str, ...]
    is_negated: bool = False


@dataclass(frozen=True, slots=True)
class Query:
    """`texts`: spellings of one text, any of which may stand in the version; empty: no text was given."""

    texts: tuple[str, ...]
    conditions: tuple[Condition, ...]


def parse_query(text: str) -> Query:
    """Raises QueryError."""
    conditions = tuple(_condition(match) for match in _TOKEN.finditer(text))
    if len(conditions) > _MOST_CONDITIONS:
        raise QueryError(f"Parse error: more than {_MOST_CONDITIONS} conditions")
    free = " ".join(_TOKEN.sub(" ", text).split())
    _refuse_syntax(text, free)
    return Query(_spellings(free if free.count('"') % 2 else free.replace('"', "")), conditions)


def _refuse_syntax(text: str, free: str) -> None:
    """Nothing is grouped or combined here; a bracket that closes is text."""
    unquoted = re.sub(r'"[^"]*"', "", free).split()
    if "OR" in unquoted or "AND" in unquoted:
        raise QueryError('Boolean statements containing "OR" or "AND" are not supported in this search')
    open_places: list[int] = []
    for place, character in enumerate(re.sub(r'"[^"]*"', lambda match: "x" * len(match[0]), text)):
        if character == "(":
            open_places.append(place)
        elif character == ")" and open_places:
            open_places.pop()
        elif character == ")":
            open_places.append(place)
            break
    if open_places:
        near = text[max(0, open_places[0] - 5) : open_places[0] + 5]
        hint = "This is commonly caused by unmatched parentheses. Enclose any text in double quotes."
        raise QueryError(f"Parse error at {near!r} (column {open_places[0] + 1}). {hint}")


def _spellings(free: str) -> tuple[str, ...]:
    """`1.0 (12)` is how people are shown `1.0+12`."""
    if not free:
        return ()
    match = _BUILD_IN_BRACKETS.fullmatch(free)
    return (free,) if match is None else (free, f"{match[1]}+{match[2]}")


def _condition(match: re.Match[str]) -> Condition:
    key, value = match["key"], match["value"]
    if key not in KEYS:
        raise QueryError(f"Invalid key for this search: {key}")
    operator: Operator = "="
    if key in ("release.version", "release.build") and (parts := _OPERATOR.fullmatch(value)) and parts[1]:
        operator, value = parts[1], parts[2]  # type: ignore[assignment]
    values = _values(value)
    if len(values) > _MOST_VALUES:
        raise QueryError(f"Parse error: more than {_MOST_VALUES} values")
    if not all(values):
        raise QueryError(f"Empty string after '{key}:'")
    if key == "finalized" and values not in (("true",), ("false",)):
        raise QueryError("finalized takes true or false")
    if key == "release.version":
        for one in values:
            read_bound(one)
    if key == "release.build" and operator != "=" and not (values[0].isascii() and values[0].isdigit()):
        raise QueryError(f"Invalid build number: {values[0]}")
    return Condition(key=key, operator=operator, values=values, is_negated=bool(match["no"]))


def _values(text: str) -> tuple[str, ...]:
    if text.startswith("["):
        return tuple(part.strip().strip('"') for part in text[1:-1].split(","))
    return (text.strip('"'),)


@dataclass(frozen=True, slots=True)
class Bound:
    """A version to compare with; `is_prefix`: `1.2.*` means every version that begins so."""

    numbers: tuple[int, ...]
    pre: str
    is_prefix: bool


def read_bound(text: str) -> Bound:
    """Raises QueryError."""
    if text.endswith(".*") and _NUMBERS.fullmatch(text[:-2]):
        return Bound(tuple(int(part) for part in text[:-2].split(".")), "", True)
    numbers, _, pre = text.partition("-")
    if not _NUMBERS.fullmatch(numbers):
        hint = 'For searching non-semver releases, use "release:" instead.'
        raise QueryError(f"Invalid format of semantic version. {hint}")
    parts = [int(part) for part in numbers.split(".")]
    return Bound(tuple(parts + [0] * (4 - len(parts))), pre, False)

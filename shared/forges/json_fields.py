"""Reads hostile JSON: every field typed, bounded and named in the refusal. Touches nothing."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any, NoReturn

from pydantic_core import from_json

from shared.domain.names import LONGEST_NAME, SHA, clean, is_full_name, is_storable
from shared.domain.push import Ref, is_valid_ref
from shared.errors import BadPayload

MAX_DEPTH = 100
MAX_CONTAINERS = 250_000  # 2,048 commits have some 13,000; eight million empty lists in 24 MB took 14 s and 900 MiB
MAX_COMMITS = 10_000  # GitHub lists 2,048 at most, GitLab 20
MAX_FILES = 10_000  # a commit; GitHub lists 3,000 at most
MAX_MESSAGE = 65_536
MAX_PATH = 4_096
LONGEST_TIME = 64

MAX_VALUES = 1_000_000  # GitHub's largest push, 2,048 commits of 240 paths each, has some 550,000

# One bracket, or comma, more than may be, those inside of texts not counted (release notes are full of them). No place is
# looked at twice, also where a text has no end, and nothing is kept.
_OUTSIDE = rb'(?:(?:[^"%s]++|"(?:[^"\\]++|\\.)*+"?)*+[%s]){%d}+'
_TOO_MANY = re.compile(_OUTSIDE % (rb"\[{", rb"\[{", MAX_CONTAINERS + 1), re.DOTALL)
_TOO_LONG = re.compile(_OUTSIDE % (rb",", rb",", MAX_VALUES), re.DOTALL)


def read_json(body: bytes) -> Fields:
    """The JSON object that `body` holds, to be read field by field. Raises BadPayload."""
    return Fields(read_object(body), "")


def read_object(body: bytes) -> dict[str, Any]:
    """The JSON object that `body` holds. Raises BadPayload unless it is UTF-8, bounded in its depth and its numbers of values,
    lists and objects, and an object."""
    brackets = body.count(b"[") + body.count(b"{")
    if brackets > MAX_CONTAINERS and _TOO_MANY.match(body):
        raise BadPayload(f"the body holds more than {MAX_CONTAINERS} lists and objects")
    if len(body) >= MAX_VALUES and body.count(b",") >= MAX_VALUES and _TOO_LONG.match(body):
        raise BadPayload(f"the body holds more than {MAX_VALUES} values")
    try:
        value = parse_json(body)
    except UnicodeDecodeError:
        raise BadPayload("the body is not UTF-8") from None
    except RecursionError:
        raise BadPayload(f"the body is nested more than {MAX_DEPTH} levels deep") from None
    except ValueError:
        raise BadPayload("the body is not JSON") from None
    if brackets > MAX_DEPTH and _is_too_deep(value):
        raise BadPayload(f"the body is nested more than {MAX_DEPTH} levels deep")
    if not isinstance(value, dict):
        raise BadPayload("the body must be a JSON object")
    return value


def parse_json(body: bytes) -> Any:
    """The value that `body` holds. Raises ValueError, RecursionError.

    The quick parser where it is content; lone surrogates, among others, are beyond it, and git's messages may hold some.
    """
    try:
        return from_json(body, allow_inf_nan=False, cache_strings="keys")
    except ValueError:
        return json.loads(body.decode("utf-8"), parse_constant=_refuse_constant)


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(name)  # NaN and Infinity are not JSON


def _is_too_deep(value: object) -> bool:
    level = [value]
    for _ in range(MAX_DEPTH):
        level = [child for item in level if isinstance(item, (dict, list)) for child in _children(item)]
        if not level:
            return False
    return True


def _children(item: dict[str, Any] | list[Any]) -> Iterator[Any]:
    children = item.values() if isinstance(item, dict) else item
    return (child for child in children if isinstance(child, (dict, list)))


class Fields:
    """A JSON object and where it stands in the body, so that each refusal can name the field."""

    __slots__ = ("_index", "_path", "values")

    def __init__(self, values: dict[str, Any], path: str, index: int | None = None) -> None:
        self.values = values
        self._path = path
        self._index = index  # in the list at `path`: put together when it is needed, for most never are

    def _where(self) -> str:
        return self._path if self._index is None else f"{self._path}[{self._index}]."

    def refuse(self, name: str, wanted: str) -> NoReturn:
        raise BadPayload(f"{self._where()}{name}: {wanted}")

    def has(self, name: str) -> bool:
        return self.values.get(name) is not None

    def text(self, name: str, limit: int, *, cut: bool = False) -> str:
        value = self.optional_text(name, limit, cut=cut)
        if value is None:
            self.refuse(name, "a string is missing")
        return value

    def optional_text(self, name: str, limit: int, *, cut: bool = False) -> str | None:
        """`cut` shortens what is too long (a commit message); without it, too long is refused (a name)."""
        value = self.values.get(name)
        if value is None or (type(value) is str and len(value) <= limit and value.isascii() and "\x00" not in value):
            return value
        if not isinstance(value, str):
            self.refuse(name, "must be a string")
        if len(value) > limit and not cut:
            self.refuse(name, f"is longer than {limit} characters")
        return clean(value[:limit])

    def flag(self, name: str) -> bool | None:
        value = self.values.get(name)
        if value is not None and not isinstance(value, bool):
            self.refuse(name, "must be true or false")
        return value

    def count(self, name: str) -> int | None:
        value = self.values.get(name)
        if value is None:
            return None
        if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value < 2**53:
            self.refuse(name, "must be a whole number")
        return value

    def row_id(self, name: str) -> int | None:
        """A provider's number for something. None for whatever is none: no release shall fail for it."""
        value = self.values.get(name)
        return value if type(value) is int and 0 < value < 2**63 else None

    def object(self, name: str) -> Fields:
        value = self.optional_object(name)
        if value is None:
            self.refuse(name, "an object is missing")
        return value

    def optional_object(self, name: str) -> Fields | None:
        value = self.values.get(name)
        if value is None:
            return None
        if not isinstance(value, dict):
            self.refuse(name, "must be an object")
        return Fields(value, f"{self._where()}{name}.")

    def objects(self, name: str, limit: int) -> list[Fields]:
        found, place = [], f"{self._where()}{name}"
        for index, value in enumerate(self._list(name, limit)):
            if not isinstance(value, dict):
                self.refuse(f"{name}[{index}]", "must be an object")
            found.append(Fields(value, place, index))
        return found

    def texts(self, name: str, limit: int, each: int) -> list[str] | None:
        """A list of strings, None when the key is absent or null."""
        if self.values.get(name) is None:
            return None
        values = self._list(name, limit)
        for index, value in enumerate(values):
            if not isinstance(value, str) or len(value) > each:
                self.refuse(f"{name}[{index}]", f"must be a string of at most {each} characters")
        return [clean(value) for value in values]

    def _list(self, name: str, limit: int) -> list[Any]:
        value = self.values.get(name)
        if value is None:
            return []
        if not isinstance(value, list):
            self.refuse(name, "must be a list")
        if len(value) > limit:
            self.refuse(name, f"holds more than {limit} entries")
        return value

    def sha(self, name: str) -> str:
        """A commit or tag object id: 40 hex digits, or 64 in a SHA-256 repository."""
        value = self.values.get(name)
        if isinstance(value, str) and SHA.fullmatch(value):
            return value
        value = self.text(name, 64).lower()
        if not SHA.fullmatch(value):
            self.refuse(name, "must be 40 or 64 hexadecimal digits")
        return value

    def optional_sha(self, name: str) -> str | None:
        return self.sha(name) if self.has(name) else None

    def ref(self, name: str) -> Ref:
        value = self.text(name, 1_024)
        if not is_valid_ref(value) or not is_storable(self.values[name]):  # cleaned, two refs would be one
            self.refuse(name, "must be a full ref name that git allows, such as refs/heads/main")
        return Ref(value)

    def full_name(self, name: str) -> str:
        """A repository's name, see `is_full_name`."""
        value = self.text(name, LONGEST_NAME)
        if not is_full_name(value):
            self.refuse(name, "must be a repository name such as owner/name")
        return value

    def time(self, name: str) -> datetime | None:
        """An ISO 8601 time with an offset (UTC assumed without one). None for a text that is none, or that Python cannot hold:
        git takes the year 10889 and an offset of 99 hours, and no commit's time is worth a release."""
        value = self.values.get(name)
        if value is None:
            return None
        if not isinstance(value, str):
            self.refuse(name, "must be a string")
        try:
            moment = datetime.fromisoformat(value[:LONGEST_TIME])
            return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
        except (ValueError, OverflowError):
            return None

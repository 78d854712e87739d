"""Reads a forge's answers, all of them hostile: typed, bounded, and a named error for what is not as documented."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TypeVar

from shared.domain.names import clean
from shared.domain.push import FileChange
from shared.errors import BadPayload, TransientError
from shared.forges.json_fields import MAX_MESSAGE, Fields, parse_json
from shared.infra.http_client import Answer

T = TypeVar("T")

_LONGEST_EXCERPT = 200
MAX_PARENTS = 1_000  # of a commit: octopus merges have dozens
_LONGEST_NAME = 1_000  # of an author, and an e-mail


def read_object(answer: Answer, reader: Callable[[Fields], T]) -> T:
    """What `reader` makes of the JSON object. Raises TransientError for anything else: a proxy's page is a 200, too."""
    return _read(answer, lambda value: reader(_object(value)))


def read_list(answer: Answer, limit: int, reader: Callable[[Fields], T]) -> list[T]:
    """What `reader` makes of each object of the JSON list of at most `limit`. Raises TransientError as `read_object`."""
    return _read(answer, lambda value: [reader(item) for item in _objects(value, limit)])


def _read(answer: Answer, reader: Callable[[object], T]) -> T:
    try:
        kind = answer.headers.get("content-type", "").partition(";")[0].strip().lower()
        if kind != "application/json" and not kind.endswith("+json"):
            raise BadPayload("the content type is not JSON")
        return reader(parse_json(answer.body))
    except BadPayload as problem:
        fault = str(problem)
    except (ValueError, RecursionError):
        fault = "the body is not JSON"
    raise TransientError(f"the API answered {answer.status}, but not as documented: {fault}", status=answer.status)


def _object(value: object) -> Fields:
    if not isinstance(value, dict):
        raise BadPayload("the body must be an object")
    return Fields(value, "")


def _objects(value: object, limit: int) -> list[Fields]:
    if not isinstance(value, list):
        raise BadPayload("the body must be a list")
    return Fields({"answer": value}, "").objects("answer", limit)


def read_message(fields: Fields) -> str:
    return fields.optional_text("message", MAX_MESSAGE, cut=True) or ""


def read_name(fields: Fields | None, name: str) -> str | None:
    """An author's name or e-mail; what is too long is cut, and what is no text is none: one odd commit must not cost the
    range."""
    try:
        return None if fields is None else fields.optional_text(name, _LONGEST_NAME, cut=True)
    except BadPayload:
        return None


def read_time(fields: Fields | None, name: str) -> datetime | None:
    """A commit's time; None when there is none that Python can hold (git takes the year 9999999 and an offset of 99 hours)."""
    try:
        return None if fields is None else fields.time(name)
    except BadPayload:
        return None


def read_count(fields: Fields, name: str) -> int:
    value = fields.count(name)
    if value is None:
        fields.refuse(name, "a number is missing")
    return value


def merge_changes(found: Iterable[FileChange]) -> tuple[FileChange, ...]:
    """One change a path: a path that is both removed and added (a rename onto it) is modified."""
    changes: dict[str, FileChange] = {}
    for change in found:
        other = changes.get(change.path)
        is_same = other is None or other.type == change.type
        changes[change.path] = change if is_same else FileChange(change.path, "M")
    return tuple(changes.values())


def said(answer: Answer) -> str:
    """The API's own `message` (GitLab also: `error`), short, as a tail for a sentence; a page of HTML says nothing."""
    text = message(answer)
    return f": {text[:_LONGEST_EXCERPT]}" if text else ""


def message(answer: Answer) -> str:
    """The text of a refusal; "" when it is not the API's own."""
    try:
        value = json.loads(answer.body[:65_536].decode("utf-8", "replace"))
    except (ValueError, RecursionError):
        return ""
    if not isinstance(value, dict):
        return ""
    text = value.get("message") or value.get("error")
    return " ".join(clean(text[:1_000]).split()) if isinstance(text, str) else ""


def reset_time(answer: Answer, header: str, now: datetime) -> datetime | None:
    """A header of epoch seconds as a time of our clock: the forge's own, from its Date header, may run differently."""
    text = answer.headers.get(header, "")
    if not (text.isascii() and text.isdigit() and len(text) <= 11):
        return None
    moment = datetime.fromtimestamp(int(text), UTC)
    try:
        there = parsedate_to_datetime(answer.headers.get("date", ""))
        return now + (moment - (there if there.tzinfo else there.replace(tzinfo=UTC)))
    except (ValueError, TypeError, OverflowError):
        return moment

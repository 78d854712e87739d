"""Reads typed values out of JSON the way Django REST framework's fields do, with its refusal texts. Pure.

A reader takes a JSON value and returns the read one or raises Fault. Lists stop at their first bad element and name no
index, as Sentry's patched framework does; objects report every bad key at once.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

from releases.validation.times import parse_time

Reader = Callable[[Any], Any]

REQUIRED = "This field is required."
_NULL = "This field may not be null."
_BLANK = "This field may not be blank."
_TIME = "Datetime has wrong format. Use one of these formats instead: YYYY-MM-DDThh:mm[:ss[.uuuuuu]][+HH:MM|-HH:MM|Z]."
_LONGEST_URL = 2048
_LABEL = re.compile(r"(?!-)[a-z0-9\u00a1-\uffff-]{1,63}(?<!-)", re.IGNORECASE)


class Fault(Exception):
    """A refused value; `texts` is the answer's part for it: a list of sentences, or an object of such lists."""

    def __init__(self, texts: list[str] | dict[str, Any]) -> None:
        super().__init__(texts)
        self.texts = texts


@dataclass(frozen=True, slots=True)
class Field:
    """How one key of an object is read."""

    read: Reader
    required: bool = False
    null: bool = False  # null is a value


def text(*, longest: int | None = None, blank: bool = False, trim: bool = True) -> Reader:
    """A string; numbers become one."""

    def read(value: object) -> str:
        if not isinstance(value, str):
            if isinstance(value, bool) or not isinstance(value, (int, float)):
                raise Fault(["Not a valid string."])
            value = str(value)
        if trim:
            value = value.strip()
        if not value:
            if blank:
                return ""
            raise Fault([_BLANK])
        if longest is not None and len(value) > longest:
            raise Fault([f"Ensure this field has no more than {longest} characters."])
        if not value.isascii() or "\0" in value:
            _refuse_unstorable(value)
        return value

    return read


def _refuse_unstorable(value: str) -> None:
    if "\0" in value:
        raise Fault(["Null characters are not allowed."])
    for character in value:
        if "\ud800" <= character <= "\udfff":
            raise Fault([f"Surrogate characters are not allowed: U+{ord(character):X}."])


def time(value: object) -> datetime:
    if isinstance(value, str):
        try:
            return parse_time(value)
        except ValueError:
            pass
    raise Fault([_TIME])


def url(*, blank: bool = True) -> Reader:
    """An absolute URL as Django's validator knows it: http, https, ftp, ftps; a dotted host, `localhost` or an address."""
    read_text = text(blank=blank, longest=_LONGEST_URL)

    def read(value: object) -> str:
        found: str = read_text(value)
        if found and not _is_url(found):
            raise Fault(["Enter a valid URL."])
        return found

    return read


def _is_url(value: str) -> bool:
    try:
        parts = urlsplit(value)
        host, _ = parts.hostname, parts.port
    except ValueError:
        return False
    if parts.scheme not in ("http", "https", "ftp", "ftps") or not host or re.search(r"[\s<>\"\\]", value):
        return False
    return _is_host(host)


def _is_host(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        labels = host.removesuffix(".").split(".")
        return host == "localhost" or (
            len(labels) > 1 and not labels[-1].isdigit() and all(_LABEL.fullmatch(label) for label in labels)
        )
    return True


def items(read_item: Reader) -> Reader:
    """A list, each element read by `read_item`."""

    def read(value: object) -> list[Any]:
        if not isinstance(value, list):
            raise Fault([f'Expected a list of items but got type "{type(value).__name__}".'])
        for item in value:
            if item is None:
                raise Fault([_NULL])
        return [read_item(item) for item in value]

    return read


def anything(value: object) -> object:
    return value


def record(fields: Mapping[str, Field]) -> Reader:
    """An object: keys that were sent and are known, read. Absent keys stay absent, unknown keys are ignored."""

    def read(value: object) -> dict[str, Any]:
        if not isinstance(value, dict):
            name = type(value).__name__
            raise Fault({"non_field_errors": [f"Invalid data. Expected a dictionary, but got {name}."]})
        found: dict[str, Any] = {}
        faults: dict[str, Any] = {}
        for key, field in fields.items():
            try:
                if key not in value:
                    if field.required:
                        raise Fault([REQUIRED])
                elif value[key] is None:
                    if not field.null:
                        raise Fault([_NULL])
                    found[key] = None
                else:
                    found[key] = field.read(value[key])
            except Fault as fault:
                faults[key] = fault.texts
        if faults:
            raise Fault(faults)
        return found

    return read

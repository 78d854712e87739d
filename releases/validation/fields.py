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
from typing import Any, NoReturn

from releases.validation.times import OutOfRange, parse_time

Reader = Callable[[Any], Any]

REQUIRED = "This field is required."
NULL = "This field may not be null."
_BLANK = "This field may not be blank."
_TIME = "Datetime has wrong format. Use one of these formats instead: YYYY-MM-DDThh:mm[:ss[.uuuuuu]][+HH:MM|-HH:MM|Z]."
_OUT_OF_RANGE = "Datetime value out of range."
_BAD_URL = "Enter a valid URL."
_LONGEST_URL = 2048
_LONGEST_HOST = 253
_LETTERS = r"a-z\u00a1-\uffff"
_LABEL = re.compile(rf"(?!-)[{_LETTERS}0-9-]{{1,63}}(?<!-)", re.IGNORECASE)
_LAST_LABEL = re.compile(rf"(?!-)(?:[{_LETTERS}-]{{2,63}}|xn--[a-z0-9]{{1,59}})(?<!-)", re.IGNORECASE)
_URL = re.compile(
    r"(?:https?|ftps?)://(?:[^\s:@/]+(?::[^\s:@/]*)?@)?(?P<host>\[[0-9a-f:.]+\]|[^\s:@/?#\[\]]+)(?::\d{2,5})?(?:[/?#]\S*)?",
    re.IGNORECASE,
)


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
            if not _is_text(value):
                raise Fault(["Not a valid string."])
            value = str(value)
        if trim:
            value = value.strip()
        if not value:
            if blank:
                return ""
            raise Fault([_BLANK])
        is_plain = value.isascii() and "\0" not in value and (longest is None or len(value) <= longest)
        if not is_plain and (faults := _text_faults(value, longest)):
            raise Fault(faults)
        return value

    return read


def _is_text(value: object) -> bool:
    """A string, or a number, which becomes one."""
    return isinstance(value, (str, int, float)) and not isinstance(value, bool)


def _text_faults(value: str, longest: int | None) -> list[str]:
    """Every reason to refuse a string, in the order of the framework's validators."""
    faults: list[str] = []
    if longest is not None and len(value) > longest:
        faults.append(f"Ensure this field has no more than {longest} characters.")
    if "\0" in value:
        faults.append("Null characters are not allowed.")
    if not value.isascii():
        lone = next((character for character in value if "\ud800" <= character <= "\udfff"), None)
        faults += [f"Surrogate characters are not allowed: U+{ord(lone):X}."] if lone else []
    return faults


def time(value: object) -> datetime:
    if isinstance(value, str):
        try:
            return parse_time(value)
        except OutOfRange:
            raise Fault([_OUT_OF_RANGE]) from None
        except ValueError:
            pass
    raise Fault([_TIME])


def url(*, blank: bool = True) -> Reader:
    """An absolute URL as Django's validator knows it: http, https, ftp, ftps; a dotted host, `localhost` or an address."""

    read_text = text(blank=blank)

    def read(value: object) -> str:
        faults: list[str] = []
        try:
            found: str = read_text(value)
        except Fault as fault:
            if not _is_text(value):
                raise Fault([_BAD_URL]) from fault
            found, faults = str(value), list(fault.texts)
        if found.strip() and (len(found) > _LONGEST_URL or not _is_url(found)):
            faults.append(_BAD_URL)
        if faults:
            raise Fault(faults)
        return found

    return read


def _is_url(value: str) -> bool:
    match = _URL.fullmatch(value)
    return match is not None and len(match["host"]) <= _LONGEST_HOST and _is_host(match["host"])


def _is_host(host: str) -> bool:
    if host.startswith("["):
        return _is_address(host[1:-1], ipaddress.IPv6Address)
    if host.lower() == "localhost" or _is_address(host, ipaddress.IPv4Address):
        return True
    return _is_name(host) or (not host.isascii() and _is_name(_to_ascii(host)))


def _is_address(text_: str, kind: Callable[[str], object]) -> bool:
    try:
        kind(text_)
    except ValueError:
        return False
    return True


def _is_name(host: str) -> bool:
    """Two labels at least; the last one has two letters or more and no digit, unless it is punycode."""
    *labels, last = host.removesuffix(".").split(".")
    return bool(labels) and all(_LABEL.fullmatch(label) for label in labels) and _LAST_LABEL.fullmatch(last) is not None


def _to_ascii(host: str) -> str:
    try:
        return host.encode("idna").decode("ascii")
    except UnicodeError:
        return ""


def items(read_item: Reader, *, null: bool = False) -> Reader:
    """A list, each element read by `read_item`. `null`: null is an element like any other."""

    def read(value: object) -> list[Any]:
        if not isinstance(value, list):
            raise Fault([f'Expected a list of items but got type "{type(value).__name__}".'])
        return [read_item(item) if item is not None or null else _refuse_null() for item in value]

    return read


def _refuse_null() -> NoReturn:
    raise Fault([NULL])


def record(fields: Mapping[str, Field]) -> Reader:
    """An object: keys that were sent and are known, read. Absent keys stay absent, unknown keys are ignored."""

    def read(value: object) -> dict[str, Any]:
        if value is None:
            raise Fault({"non_field_errors": ["No data provided"]})
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
                        raise Fault([NULL])
                    found[key] = None
                else:
                    found[key] = field.read(value[key])
            except Fault as fault:
                faults[key] = fault.texts
        if faults:
            raise Fault(faults)
        return found

    return read

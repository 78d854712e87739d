"""Times on the wire: what clients may send, what we answer. Pure."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, timezone

# What Django's parser takes beyond `fromisoformat`: one-digit parts, a comma, a space before the offset, other digits than 0-9.
_LOOSE = re.compile(
    r"(?P<year>\d{4})-(?P<month>\d{1,2})-(?P<day>\d{1,2})[T ](?P<hour>\d{1,2}):(?P<minute>\d{1,2})"
    r"(?::(?P<second>\d{1,2})(?:[.,](?P<fraction>\d{1,12}))?)?\s*(?P<offset>Z|[+-]\d{2}(?::?\d{2})?)?\n?"
)


class OutOfRange(ValueError):
    """A time that is well formed, but before year 1 or after year 9999 in UTC."""


def parse_time(text: str) -> datetime:
    """An aware UTC time; a naive one means UTC, digits after the microsecond are dropped. Raises ValueError, OutOfRange."""
    if len(text) > 64:
        raise ValueError("not a time")
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        moment = _loose(text)
    if moment.tzinfo is None:
        return moment.replace(tzinfo=UTC)
    try:
        return moment.astimezone(UTC)
    except OverflowError as problem:
        raise OutOfRange("not a time in UTC") from problem


def _loose(text: str) -> datetime:
    match = _LOOSE.fullmatch(text)
    if match is None:
        raise ValueError("not a time")
    part = {name: int(match[name] or 0) for name in ("year", "month", "day", "hour", "minute", "second")}
    microsecond = int((match["fraction"] or "")[:6].ljust(6, "0"))
    return datetime(**part, microsecond=microsecond, tzinfo=_offset(match["offset"]))


def _offset(text: str | None) -> timezone:
    if text is None or text == "Z":
        return UTC
    minutes = int(text[1:3]) * 60 + int(text[-2:] if len(text) > 3 else 0)
    return timezone(timedelta(minutes=-minutes if text[0] == "-" else minutes))


def render_time(moment: datetime | None) -> str | None:
    """UTC with `Z`; the fraction has six digits and is left out when it is zero, as Django REST framework does."""
    return None if moment is None else moment.astimezone(UTC).isoformat().replace("+00:00", "Z")

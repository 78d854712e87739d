"""Times and durations as people and programs write them. Pure."""

from __future__ import annotations

from datetime import datetime, timedelta

_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}


def rfc3339(moment: datetime, timespec: str = "auto") -> str:
    """A UTC time with `Z`. `timespec`: how fine, as `datetime.isoformat` takes it."""
    return moment.isoformat(timespec=timespec).replace("+00:00", "Z")


def read_duration(text: str) -> timedelta:
    """`30m`, `6h`, `1d`: digits and one of s, m, h, d, w. Raises OverflowError."""
    return timedelta(**{_UNITS[text[-1]]: int(text[:-1])})

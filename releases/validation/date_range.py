"""The dates of a list's query: a period that ends now, or a start and an end. Pure; texts are the original's."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

_PERIOD = re.compile(r"(\d{1,18})([smhdw]?)", re.ASCII)
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks", "": "seconds"}
_FORMS = ("%Y-%m-%dT%H:%M:%S.%f", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%d")
_SECONDS = re.compile(r"\d{1,12}(?:\.\d{1,6})?", re.ASCII)

STATS_PERIODS = ("1h", "24h", "1d", "48h", "2d", "7d", "14d", "30d", "90d")


class DateRangeError(ValueError):
    """The sentence goes into `detail`."""


def read_range(get: Callable[[str], str | None], now: datetime) -> tuple[datetime, datetime] | None:
    """(start, end), None where neither is asked for. `get`: a query parameter by name. Raises DateRangeError."""
    if (period := get("statsPeriod")) is not None:
        start, end = _before(now, period), now
    elif get("statsPeriodStart") or get("statsPeriodEnd"):
        first, last = get("statsPeriodStart"), get("statsPeriodEnd")
        if not first or not last:
            raise DateRangeError("Invalid date range: statsPeriodStart and statsPeriodEnd are both required")
        start, end = _before(now, first), _before(now, last)
    elif get("start") or get("end"):
        first, last = get("start"), get("end")
        if not first or not last:
            raise DateRangeError("Invalid date range: start and end are both required")
        start, end = _moment(first), _moment(last)
    else:
        return None
    if start >= end:
        raise DateRangeError("Invalid date range: start must be before end")
    return start, end


def check_periods(get: Callable[[str], str | None]) -> None:
    """Periods of health data, which is not kept here, are checked all the same. Raises DateRangeError."""
    for name in ("summaryStatsPeriod", "healthStatsPeriod"):
        if (period := get(name)) and period not in STATS_PERIODS:
            choices = ", ".join(f"'{choice}'" for choice in STATS_PERIODS)
            raise DateRangeError(f"Invalid {name}. Valid choices are {choices}")
    if (get("healthStat") or "sessions") not in ("sessions", "users"):
        raise DateRangeError("invalid healthStat")


def _before(now: datetime, period: str) -> datetime:
    match = _PERIOD.fullmatch(period)
    try:
        if match is not None:
            return now - timedelta(**{_UNITS[match[2]]: int(match[1])})
    except OverflowError:
        pass
    raise DateRangeError(f"Invalid date range: Invalid statsPeriod: {period!r}")


def _moment(text: str) -> datetime:
    """A date or time in UTC, or seconds since 1970."""
    plain = text.removesuffix("Z").removesuffix("+00:00")
    for form in _FORMS:
        try:
            return datetime.strptime(plain, form).replace(tzinfo=UTC)
        except ValueError:
            continue
    try:
        if _SECONDS.fullmatch(text):
            return datetime.fromtimestamp(float(text), UTC)
    except (ValueError, OverflowError, OSError):
        pass
    raise DateRangeError(f"Invalid date range: {text[:100]} is not a valid ISO8601 date query")

"""The words with which people pick jobs and deliveries, the same in API, command line and pages. Pure."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from shared.domain.job_states import JobState
from shared.domain.job_warnings import WarningCode
from shared.domain.names import is_storable
from shared.domain.times import read_duration
from shared.errors import BadParameter

DEFAULT_LIMIT, MOST = 50, 200
WARNING_CODES = tuple(code.value for code in WarningCode)
ANY_WAITING = "waiting"  # as a status: queued or retrying
NONE = "none"  # as a reason or wait: those without one
JOB_STATUSES = (*(state.value for state in JobState), ANY_WAITING)
DELIVERY_STATUSES = ("accepted", "ignored", "refused")
_KEYS = {"job": r"[0-9a-f]{32}", "repository": r"[!-\U0010ffff]{1,600}"}  # the key of the last row of a page
_AGO = re.compile(r"\d{1,6}[smhdw]", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class JobFilter:
    status: str | None = None
    provider: str | None = None
    repository: str | None = None
    target: str | None = None
    reason: str | None = None
    waiting: str | None = None
    warning: str | None = None
    replay: int | None = None
    since: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveryFilter:
    provider: str | None = None
    repository: str | None = None
    status: str | None = None
    since: datetime | None = None


@dataclass(frozen=True, slots=True)
class Page:
    """`after`: the key of the last row of the page before, None for the first page."""

    limit: int = DEFAULT_LIMIT
    after: str | None = None


JOB_WORDS = ("status", "provider", "repository", "target", "reason", "waiting", "warning", "replay", "since")
DELIVERY_WORDS = ("provider", "repository", "status", "since")
PAGE_WORDS = ("limit", "cursor")


def read_job_filter(words: Mapping[str, str], now: datetime) -> JobFilter:
    """Empty values count as absent. Raises BadParameter."""
    return JobFilter(
        status=_one_of("status", words.get("status"), JOB_STATUSES),
        **_repository(words),
        target=_name("target", words.get("target"), 64),
        reason=_name("reason", words.get("reason"), 40),
        waiting=_name("waiting", words.get("waiting"), 40),
        warning=_one_of("warning", words.get("warning"), WARNING_CODES),
        replay=_number("replay", words.get("replay")),
        since=read_since(words.get("since"), now),
    )


def read_delivery_filter(words: Mapping[str, str], now: datetime) -> DeliveryFilter:
    return DeliveryFilter(
        **_repository(words),
        status=_one_of("status", words.get("status"), DELIVERY_STATUSES),
        since=read_since(words.get("since"), now),
    )


def read_page(words: Mapping[str, str], kind: str) -> Page:
    """`kind` keeps a cursor of one list from being used on another."""
    limit = words.get("limit") or str(DEFAULT_LIMIT)
    if not (limit.isascii() and limit.isdigit() and 1 <= int(limit[:9]) <= MOST):
        raise BadParameter(f"limit must be a whole number from 1 to {MOST}")
    cursor = words.get("cursor")
    return Page(int(limit), read_cursor(cursor, kind) if cursor else None)


def check_known(words: Mapping[str, object], known: tuple[str, ...], what: str) -> None:
    """Raise BadParameter for a word that means nothing here: a typing error must not pick everything."""
    for word in words:
        if word not in known:
            raise BadParameter(f"{_shown(word)} is not a known {what}; known are {', '.join(known)}")


def read_since(value: str | None, now: datetime) -> datetime | None:
    """RFC 3339, or how long ago: `90m`, `2h`, `3d`."""
    if not value:
        return None
    try:
        if _AGO.fullmatch(value):
            return now - read_duration(value)
        # In a query an unescaped + of the offset arrives as a blank.
        moment = datetime.fromisoformat(value.replace(" ", "+") if "T" in value else value)
        return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
    except (ValueError, OverflowError):
        raise BadParameter("since must be a time such as 2026-03-02T09:00:00Z, or how long ago: 2h, 3d") from None


def write_cursor(kind: str, key: str) -> str:
    return base64.urlsafe_b64encode(f"{kind}:{key}".encode()).decode().rstrip("=")


def read_cursor(value: str, kind: str) -> str:
    """The key. Raises BadParameter."""
    try:
        text = base64.b64decode(value + "=" * (-len(value) % 4), altchars=b"-_", validate=True).decode()
    except (ValueError, binascii.Error):
        text = ""
    found, _, key = text.partition(":")
    if found != kind or not re.fullmatch(_KEYS.get(kind, r"[0-9]{1,18}"), key):
        raise BadParameter("cursor is not one that this list gave out")
    return key


def _one_of(name: str, value: str | None, words: tuple[str, ...]) -> str | None:
    if value and value not in words:
        raise BadParameter(f"{name} must be one of {', '.join(words)}")
    return value or None


def _number(name: str, value: str | None) -> int | None:
    if value and not (value.isascii() and value.isdigit() and 0 < len(value) < 19):
        raise BadParameter(f"{name} must be the number of a bulk replay")
    return int(value) if value else None


def _name(name: str, value: str | None, longest: int) -> str | None:
    if value and (len(value) > longest or not is_storable(value)):
        raise BadParameter(f"{name} must be a name of at most {longest} characters")
    return value or None


def _repository(words: Mapping[str, str]) -> dict[str, str | None]:
    """`provider` and `repository`; the latter also as rules write it, `github:acme/shop`."""
    provider = _name("provider", words.get("provider"), 40)
    repository = _name("repository", words.get("repository"), 512)
    if repository is not None and ":" in repository:
        named, _, repository = repository.partition(":")
        if provider not in (None, named):
            raise BadParameter(f"repository names {_shown(named)}, provider is {_shown(provider or '')}: which is meant?")
        provider = named
    return {"provider": provider, "repository": repository or None}


def _shown(word: str) -> str:
    return repr(word[:40])

"""Single fields of a target's answers, read with care: each may be missing, or of another type. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any

from shared.infra.http_client import Answer


def is_same_moment(value: object, sent: datetime) -> bool:
    """A server may keep fewer digits than it was sent: milliseconds, or whole seconds."""
    if not isinstance(value, str):
        return False
    try:
        moment = datetime.fromisoformat(value)
    except ValueError:
        return False
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    apart = abs(moment - sent)
    return apart < timedelta(milliseconds=1) or (moment.microsecond == 0 and apart < timedelta(seconds=1))


def version_of(release: Mapping[str, Any]) -> str | None:
    """Of an object that shows a release; None for any other. A server may know the short name alone."""
    found = (release.get(name) for name in ("version", "shortVersion"))
    return next((version for version in found if isinstance(version, str) and version), None)


def answered_at(answer: Answer) -> datetime:
    """By the target's own clock, where it tells the time."""
    try:
        moment = parsedate_to_datetime(answer.headers.get("date", ""))
    except (ValueError, OverflowError):
        return datetime.now(UTC)
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def is_linked(repository: Mapping[str, Any]) -> bool | None:
    """Whether an integration stands behind it: Sentry calls the provider of one without `unknown`."""
    provider = repository.get("provider")
    name = provider.get("id") if isinstance(provider, dict) else None
    return name != "unknown" if isinstance(name, str) else None

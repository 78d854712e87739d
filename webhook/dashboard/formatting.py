"""How pages say things: times, durations, counts, payloads. Pure, but for the clock."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any

from markupsafe import Markup
from pydantic_core import from_json

from shared.domain.times import rfc3339
from shared.ledger.queries.listings import MOST_COUNTED
from webhook.ops.advice import ADVICE, WARNING_ADVICE

_LONGEST_PAYLOAD = 60_000  # characters shown
_STEPS = ((60.0, 1.0, "s"), (3600.0, 60.0, "min"), (86_400.0, 3600.0, "h"), (float("inf"), 86_400.0, "d"))


def now() -> datetime:
    return datetime.now(UTC)


def span(seconds: float | timedelta | None) -> str:
    """A duration in one unit: `230 ms`, `12 s`, `3 min`."""
    if seconds is None:
        return "–"
    length = abs(seconds.total_seconds() if isinstance(seconds, timedelta) else float(seconds))
    if length < 0.9995:
        return f"{length * 1000:.0f} ms"
    for limit, unit, name in _STEPS:
        if length < limit:
            number = length / unit
            return f"{number:.1f} {name}" if number < 9.95 and name == "s" and number != int(number) else f"{number:.0f} {name}"
    return "–"


def ago(moment: datetime, present: datetime) -> str:
    passed = (present - moment).total_seconds()
    if abs(passed) < 1:
        return "now"
    return f"{span(passed)} ago" if passed > 0 else f"in {span(passed)}"


def full(moment: datetime) -> str:
    return f"{moment.astimezone(UTC).isoformat(' ', 'seconds')[:19]} UTC"


def time_tag(moment: datetime | None, present: datetime) -> Markup:
    """How long ago, for a person; when exactly, for a machine and under the pointer. A list has one a row."""
    if moment is None:
        return Markup("–")
    html = f'<time datetime="{rfc3339(moment)}" title="{full(moment)}">{ago(moment, present)}</time>'
    return Markup(html)  # noqa: S704  (made of a time alone)


@lru_cache(maxsize=500)
def badge_tag(word: str) -> Markup:
    return Markup('<span class="badge is-{0}">{0}</span>').format(word)


@lru_cache(maxsize=500)
def reason_tag(code: str) -> Markup:
    return Markup('<code title="{}">{}</code>').format(ADVICE.get(code, ""), code)


@lru_cache(maxsize=500)
def warning_tag(code: str) -> Markup:
    return Markup('<code class="badge is-held" title="{}">{}</code>').format(WARNING_ADVICE.get(code, ""), code)


def parsed(text: str | None) -> datetime | None:
    """A time out of stored JSON."""
    try:
        found = datetime.fromisoformat(text) if text else None
    except ValueError:
        return None
    return found.replace(tzinfo=UTC) if found is not None and found.tzinfo is None else found


def some(number: int, most: int = MOST_COUNTED) -> str:
    """A bounded count: `1,000+` beyond what was counted."""
    return f"{most:,}+" if number > most else f"{number:,}"


def pretty(payload: Any) -> tuple[str, bool]:
    """JSON for reading, bounded; the second value says whether it was cut."""
    text = payload if isinstance(payload, str) else json.dumps(payload, indent=2, ensure_ascii=False)
    return text[:_LONGEST_PAYLOAD], len(text) > _LONGEST_PAYLOAD


def indented(body: str) -> str:
    """A body that is whole and JSON, a line for each value; any other as it is."""
    try:
        return json.dumps(from_json(body), indent=2, ensure_ascii=False)
    except ValueError:  # also for a lone surrogate, which no page can hold
        return body


def short(ref: str | None) -> str:
    """`v1.2` for refs/tags/v1.2."""
    for start in ("refs/tags/", "refs/heads/"):
        if ref is not None and ref.startswith(start):
            return ref[len(start) :]
    return ref or "–"


def href(url: str | None) -> str | None:
    """An address that may be a link: http and https only."""
    return url if url is not None and url.startswith(("https://", "http://")) else None

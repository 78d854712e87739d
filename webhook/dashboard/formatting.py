"""How pages say things: times, durations, counts, payloads. Pure, but for the clock."""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any

from markupsafe import Markup
from pydantic_core import from_json

from shared.domain.times import rfc3339
from shared.infra.visible_text import visible
from shared.ledger.queries.listings import MOST_COUNTED
from webhook.ops.advice import WARNING_ADVICE, advise

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


def every(usual: timedelta | None) -> str:
    """How often something comes, from the usual time between two: `every 3 hours`, `several a minute`."""
    if usual is None:
        return "–"
    gap = usual.total_seconds()
    if gap < 30:
        return "several a minute"
    for limit, unit, name in ((5400.0, 60.0, "minute"), (129_600.0, 3600.0, "hour"), (float("inf"), 86_400.0, "day")):
        if gap < limit:
            number = max(1, round(gap / unit))
            return f"every {name}" if number == 1 else f"every {number} {name}s"
    return "–"


def ago(moment: datetime, present: datetime) -> str:
    passed = (present - moment).total_seconds()
    if abs(passed) < 1:
        return "now"
    return f"{span(passed)} ago" if passed > 0 else f"in {span(passed)}"


def full(moment: datetime) -> str:
    return f"{moment.astimezone(UTC).isoformat(' ', 'seconds')[:19]} UTC"


def time_tag(moment: datetime | None, present: datetime) -> Markup:
    """When, and how long ago; a script puts it into the reader's zone and lets the age tick. A list has one a row."""
    return _time(moment, ago(moment, present), "") if moment is not None else Markup("–")


def until_tag(moment: datetime | None, present: datetime) -> Markup:
    """The same for what is still to come, which is `now` once it is over."""
    said = "now" if moment is None or moment <= present else ago(moment, present)
    return _time(moment, said, " data-until") if moment is not None else Markup("–")


def _time(moment: datetime, said: str, mark: str) -> Markup:
    at = full(moment)
    html = (
        f'<time datetime="{rfc3339(moment)}" title="{at}"{mark}><span class="ago">{said}</span> '
        f'<span class="at">{at[:16]} UTC</span></time>'
    )
    return Markup(html)  # noqa: S704  (made of a time alone)


@lru_cache(maxsize=500)
def badge_tag(word: str) -> Markup:
    return Markup('<span class="badge is-{0}">{0}</span>').format(word)


@lru_cache(maxsize=500)
def reason_tag(code: str, advice: str | None = None) -> Markup:
    """`advice`: where it is known who the code comes from."""
    return Markup('<code title="{}">{}</code>').format(advice or advise(code) or "", code)


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


def beside(rows: Iterable[Any], others: Iterable[Any]) -> list[tuple[Any, Any]]:
    """Rows and what is said of each, for a loop."""
    return list(zip(rows, others, strict=True))


def short(ref: str | None) -> str:
    """`v1.2` for refs/tags/v1.2."""
    for start in ("refs/tags/", "refs/heads/"):
        if ref is not None and ref.startswith(start):
            return ref[len(start) :]
    return ref or "–"


def brief(text: str | None, most: int = 100) -> str:
    """The beginning of a name that stands in a list or a heading."""
    whole = text or ""
    return whole if len(whole) <= most else f"{whole[:most]}…"


def long_tag(text: str | None, most: int = 200) -> Markup:
    """A text that may be long, to be opened where it is."""
    whole = visible(text or "–", lines=True)
    if len(whole) <= most:
        return Markup("{}").format(whole)
    return Markup('<details class="long"><summary>{}…</summary>{}</details>').format(whole[:most], whole)


def href(url: str | None) -> str | None:
    """An address that may be a link: http and https only."""
    return url if url is not None and url.startswith(("https://", "http://")) else None

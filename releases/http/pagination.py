"""Paging: `value:offset:isPrevious` cursors and the Link header around them. Pure.

Clients treat a cursor as opaque. Lists ordered by time carry the last row's place in it (microseconds, id), so that a page
deep in a long list costs what the first one costs; lists without such a key carry page size and page number.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from urllib.parse import quote, urlencode

_CURSOR = re.compile(r"(-?[0-9]{1,18}):(-?[0-9]{1,18}):([01])", re.ASCII)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_TICK = timedelta(microseconds=1)
_IN_ADDRESSES = "%/:@!$&'()*+,;=~[]"  # what stands in an address as it is


@dataclass(frozen=True, slots=True)
class Cursor:
    value: int
    offset: int
    is_previous: bool = False

    def __str__(self) -> str:
        return f"{self.value}:{self.offset}:{int(self.is_previous)}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """Where the pages before and after this one begin, and whether they hold anything."""

    previous: Cursor
    next: Cursor
    has_previous: bool
    has_next: bool


def parse_cursor(text: str | None) -> Cursor | None:
    """None for the first page. Raises ValueError."""
    if not text:
        return None
    match = _CURSOR.fullmatch(text)
    if match is None:
        raise ValueError("Invalid cursor parameter.")
    return Cursor(int(match[1]), int(match[2]), match[3] == "1")


def parse_page_size(text: str | None, *, most: int = 100) -> int:
    """Raises ValueError with the original's sentence."""
    if text is None:
        return most
    try:
        size = int(text) if len(text) < 10 and text.isascii() else None
    except ValueError:
        size = None
    if size is None:
        raise ValueError("Invalid per_page parameter.")
    if not 1 <= size <= most:
        raise ValueError(f"Invalid per_page value. Must be between 1 and {most}.")
    return size


def to_ticks(moment: datetime) -> int:
    return (moment - _EPOCH) // _TICK


def from_ticks(ticks: int) -> datetime:
    """Raises ValueError where a hand-made cursor names no time."""
    try:
        return _EPOCH + ticks * _TICK
    except OverflowError:
        raise ValueError("Invalid cursor parameter.") from None


def turn_by_key(cursor: Cursor | None, keys: Sequence[tuple[datetime, int]], *, has_more: bool) -> Turn:
    """For a list in key order: `keys` of the rows shown, `has_more` beyond them in the direction asked for."""
    back = cursor is not None and cursor.is_previous
    here = cursor or Cursor(0, 0)
    first = Cursor(to_ticks(keys[0][0]), keys[0][1], True) if keys else Cursor(here.value, here.offset, True)
    last = Cursor(to_ticks(keys[-1][0]), keys[-1][1]) if keys else Cursor(here.value, here.offset)
    return Turn(
        previous=first,
        next=last,
        has_previous=has_more if back else cursor is not None,
        has_next=True if back else has_more,
    )


def turn_by_number(cursor: Cursor | None, size: int, *, has_more: bool) -> Turn:
    """For a list paged by number."""
    number = max(cursor.offset, 0) if cursor else 0
    return Turn(
        previous=Cursor(size, number - 1, True),
        next=Cursor(size, number + 1),
        has_previous=number > 0,
        has_next=has_more,
    )


def render_link(url: str, query: Sequence[tuple[str, str]], turn: Turn) -> str:
    """The Link header: both directions, always."""
    kept = urlencode([(key, value) for key, value in query if key != "cursor"], errors="replace")
    address = quote(url, safe=_IN_ADDRESSES)  # a version may hold any character, a header only ASCII
    parts = []
    for rel, cursor, has_any in (("previous", turn.previous, turn.has_previous), ("next", turn.next, turn.has_next)):
        results = "true" if has_any else "false"
        parts.append(f'<{address}?{kept}&cursor={cursor}>; rel="{rel}"; results="{results}"; cursor="{cursor}"')
    return ", ".join(parts)

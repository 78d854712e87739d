"""The last day in figures, drawn anew only when the tallies have moved: reading and drawing them was half of the overview."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from flask import current_app, render_template
from markupsafe import Markup
from sqlalchemy.engine import Connection

from shared.ledger import rollups
from webhook.dashboard import charts


@dataclass(frozen=True, slots=True)
class Day:
    """`as_of`: up to when it counts, None before anything was counted; `last`: the hour it ends with."""

    as_of: datetime | None
    last: datetime
    received: int
    sums: Mapping[str, int]
    html: Markup


class Figures:
    """One a process. What it keeps is one value, replaced whole: threads need no lock."""

    def __init__(self) -> None:
        self._kept: Day | None = None

    def read(self, connection: Connection, now: datetime) -> Day:
        as_of, last = rollups.find_mark(connection), rollups.hour_of(now)
        kept = self._kept
        if kept is None or (kept.as_of, kept.last) != (as_of, last):
            self._kept = kept = _draw(connection, as_of, last)
        return kept


def kept() -> Figures:
    """This process's; made by `register`."""
    found: Figures = current_app.extensions["dashboard.figures"]
    return found


def _draw(connection: Connection, as_of: datetime | None, last: datetime) -> Day:
    rows = rollups.since(connection, last - timedelta(hours=charts.HOURS - 1))
    hours = charts.by_hour(rows, last)
    sums = {kind: sum(hour.counts.get(kind, 0) for hour in hours) for kind in charts.KINDS}
    bars, times = charts.draw_bars(hours), charts.draw_times(hours)
    html = Markup(render_template("dashboard/figures.html", hours=hours, sums=sums, bars=bars, times=times))  # noqa: S704
    return Day(as_of, last, sum(row.number for row in rows if row.series == "deliveries"), sums, html)

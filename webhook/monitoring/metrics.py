"""/metrics in Prometheus' text format. Every figure is read from SQL, so it is the same whichever process is asked.

States are counted at the moment of the scrape. Counters and histograms are the tallies of all time, which trail the
present by some twenty seconds and never fall, also when old deliveries are deleted.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa
from flask import Flask, Response, request
from sqlalchemy.engine import Connection

from shared.domain.histogram import BOUNDS
from shared.domain.job_states import JobState, Outcome
from shared.domain.rules import Rules
from shared.domain.target_health import Health, TargetState
from shared.infra.database import reading
from shared.ledger import rollups, target_states
from shared.ledger.queries import stats
from webhook.http.problems import problem
from webhook.intake.accept_latency import AcceptTimes
from webhook.openapi.operation import Answer, Call, described
from webhook.ops import roles
from webhook.ops.stats_cache import KeptCounts
from webhook.services import Services

MEDIA_TYPE = "text/plain; version=0.0.4; charset=utf-8"
_DELIVERY_STATUSES = ("accepted", "ignored", "refused")
_HISTOGRAMS = {
    "accept_seconds": "From a webhook's arrival to its answer, accepted ones only.",
    "attempt_seconds": "One attempt of a job.",
    "release_seconds": "From the webhook to its release, waits and retries included.",
}


def register(app: Flask, times: AcceptTimes) -> None:
    services: Services = app.extensions["services"]

    @app.get("/metrics", endpoint="metrics")
    @described(
        Call(
            summary="Figures for Prometheus",
            who="viewer",
            answers={200: Answer("Prometheus' text format.", {"type": "string"}, "text/plain")},
        )
    )
    def show_metrics() -> Response:
        if roles.role_of(request.headers.get("Authorization"), services.settings) is None:
            return problem(401, "send Authorization: Bearer with the ops token", {"WWW-Authenticate": 'Bearer realm="tagship"'})
        times.flush()
        with reading(services.engine).begin() as connection:
            kept: KeptCounts = app.extensions["kept_counts"]
            counted = kept.read(lambda: stats.count_by_status(connection))
            lines = list(render(connection, services.rules, counted["jobs"], datetime.now(UTC)))
        return Response("\n".join(lines) + "\n", content_type=MEDIA_TYPE)


def render(connection: Connection, rules: Rules, counted: Mapping[str, int], now: datetime) -> Iterator[str]:
    yield from _states(connection, counted, now)
    yield from _targets(connection, rules)
    rows: defaultdict[str, list[sa.Row[Any]]] = defaultdict(list)
    for row in rollups.of_all_time(connection):
        rows[row.series].append(row)
    for series, known in (("deliveries", _DELIVERY_STATUSES), ("attempts", tuple(Outcome))):
        label = "status" if series == "deliveries" else "outcome"
        found = dict.fromkeys(map(str, known), 0) | {row.label: row.number for row in rows[series]}
        yield from _family(f"tagship_{series}_total", "counter", f"{series.capitalize()} by {label}.", label, found)
    hits = {row.label: row.number for row in rows["rules"]}
    yield from _family("tagship_rule_matches_total", "counter", "Deliveries that a rule matched.", "rule", hits)
    for series, meaning in _HISTOGRAMS.items():
        yield from _histogram(f"tagship_{series}", meaning, rows[series])


def _states(connection: Connection, counted: Mapping[str, int], now: datetime) -> Iterator[str]:
    found = {state.value: 0 for state in JobState} | dict(counted)
    yield from _family("tagship_jobs", "gauge", "Jobs by state.", "status", found)
    oldest = stats.oldest_waiting_at(connection)
    age = (now - oldest).total_seconds() if oldest else 0.0
    yield from _single("tagship_oldest_waiting_seconds", "Age of the job that has waited longest, 0 without any.", age)
    mark = rollups.find_mark(connection)
    trailing = (now - mark).total_seconds() if mark and rollups.has_more(connection, mark, now) else 0.0
    yield from _single(
        "tagship_figures_trail_seconds", "How far counters trail the present; grows when no sweeper runs.", trailing
    )


def _targets(connection: Connection, rules: Rules) -> Iterator[str]:
    healths, waiting = target_states.find(connection), stats.waiting_by_target(connection)
    names = sorted({*rules.targets, *healths, *waiting})
    yield "# HELP tagship_target_state 1 for the state that a target is in."
    yield "# TYPE tagship_target_state gauge"
    for name in names:
        current = healths.get(name, Health()).state
        for state in TargetState:
            yield f'tagship_target_state{{target="{_escaped(name)}",state="{state}"}} {int(state is current)}'
    found = {name: waiting.get(name, 0) for name in names}
    yield from _family("tagship_target_waiting_jobs", "gauge", "Jobs that wait for a target.", "target", found)


def _family(name: str, kind: str, meaning: str, label: str, values: Mapping[str, float]) -> Iterator[str]:
    yield f"# HELP {name} {meaning}"
    yield f"# TYPE {name} {kind}"
    for key, value in sorted(values.items()):
        yield f'{name}{{{label}="{_escaped(key)}"}} {value}'


def _single(name: str, meaning: str, value: float) -> Iterator[str]:
    yield f"# HELP {name} {meaning}"
    yield f"# TYPE {name} gauge"
    yield f"{name} {value:.3f}"


def _histogram(name: str, meaning: str, rows: Iterable[sa.Row[Any]]) -> Iterator[str]:
    numbers, spent, total = {row.bucket: row.number for row in rows}, sum(row.seconds for row in rows), 0
    yield f"# HELP {name} {meaning}"
    yield f"# TYPE {name} histogram"
    for place, bound in enumerate(BOUNDS):
        total += numbers.get(place, 0)
        yield f'{name}_bucket{{le="{bound}"}} {total}'
    total += numbers.get(len(BOUNDS), 0)
    yield f'{name}_bucket{{le="+Inf"}} {total}'
    yield f"{name}_sum {spent:.6f}"
    yield f"{name}_count {total}"


def _escaped(label: str) -> str:
    return label.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")

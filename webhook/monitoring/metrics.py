"""/metrics in Prometheus' text format. Every figure is read from SQL, so it is the same whichever process is asked.

States are counted at the moment of the scrape. Counters and histograms are the tallies of all time, which trail the
present by some twenty seconds and never fall, also when old deliveries are deleted.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from itertools import accumulate

from flask import Flask, Response
from prometheus_client import generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector
from sqlalchemy.engine import Connection

from shared.domain.filters import DELIVERY_STATUSES
from shared.domain.histogram import BOUNDS
from shared.domain.job_states import JobState, Outcome
from shared.domain.job_warnings import WarningCode
from shared.domain.rules import Rules
from shared.domain.target_health import Health, TargetState
from shared.infra.database import reading
from shared.ledger import rollups, target_states
from shared.ledger.queries import stats
from shared.ledger.rows import TallyRow
from webhook.intake.accept_latency import AcceptTimes
from webhook.openapi.operation import Answer, Call, described
from webhook.ops import roles
from webhook.ops.stats_cache import KeptCounts
from webhook.services import Services

MEDIA_TYPE = "text/plain; version=0.0.4; charset=utf-8"
_HISTOGRAMS = {
    "accept_seconds": "From a webhook's arrival to its answer, accepted ones only.",
    "attempt_seconds": "One attempt of a job.",
    "release_seconds": "From the webhook to its release, waits and retries included.",
}


def register(app: Flask, times: AcceptTimes) -> None:
    @app.get("/metrics", endpoint="metrics")
    @described(
        Call(
            summary="Figures for Prometheus",
            who="viewer",
            answers={200: Answer("Prometheus' text format.", {"type": "string"}, "text/plain")},
        )
    )
    def show_metrics() -> Response:
        services: Services = app.extensions["services"]
        if isinstance(refused := roles.admit(), Response):
            return refused
        times.flush()
        with reading(services.engine).begin() as connection:
            kept: KeptCounts = app.extensions["kept_counts"]
            counted = kept.read(lambda: stats.count_by_status(connection))
            text = generate_latest(LedgerMetrics(connection, services.rules, counted["jobs"], datetime.now(UTC)))
        return Response(text, content_type=MEDIA_TYPE)


class LedgerMetrics(Collector):
    """Every figure as the ledger has it at `now`; `counted`: the jobs by state."""

    def __init__(self, connection: Connection, rules: Rules, counted: Mapping[str, int], now: datetime) -> None:
        self._connection, self._rules, self._counted, self._now = connection, rules, counted, now

    def collect(self) -> Iterator[Metric]:
        yield from self._states()
        yield from self._targets()
        rows: defaultdict[str, list[TallyRow]] = defaultdict(list)
        for row in rollups.of_all_time(self._connection):
            rows[row.series].append(row)
        for name, series, label, known, meaning in (
            ("deliveries", "deliveries", "status", DELIVERY_STATUSES, "Deliveries by status."),
            ("attempts", "attempts", "outcome", tuple(Outcome), "Attempts by outcome."),
            ("warnings", "warnings", "code", tuple(WarningCode), "Warnings of succeeded attempts."),
            ("rule_matches", "rules", "rule", (), "Deliveries that a rule matched."),
        ):
            found = dict.fromkeys(known, 0) | {row.label: row.number for row in rows[series]}
            yield _labelled(CounterMetricFamily(f"tagship_{name}", meaning, labels=[label]), found)
        for series, meaning in _HISTOGRAMS.items():
            yield _histogram(f"tagship_{series}", meaning, rows[series])

    def _states(self) -> Iterator[Metric]:
        found = dict.fromkeys(JobState, 0) | dict(self._counted)
        yield _labelled(GaugeMetricFamily("tagship_jobs", "Jobs by state.", labels=["status"]), found)
        oldest = stats.oldest_waiting_at(self._connection)
        age = (self._now - oldest).total_seconds() if oldest else 0.0
        meaning = "Age of the job that has waited longest, 0 without any."
        yield GaugeMetricFamily("tagship_oldest_waiting_seconds", meaning, age)
        mark = rollups.find_mark(self._connection)
        since = rollups.waiting_since(self._connection, mark, self._now) if mark is not None else None
        meaning = "For how long something has waited to be counted, 0 while nothing does; grows when no sweeper runs."
        trailing = (self._now - since).total_seconds() if since is not None else 0.0
        yield GaugeMetricFamily("tagship_figures_trail_seconds", meaning, trailing)

    def _targets(self) -> Iterator[Metric]:
        healths, waiting = target_states.find(self._connection), stats.waiting_by_target(self._connection)
        names = sorted({*self._rules.targets, *healths, *waiting})
        states = GaugeMetricFamily("tagship_target_state", "1 for the state that a target is in.", labels=["target", "state"])
        for name in names:
            for state in TargetState:
                states.add_metric([name, state], state is healths.get(name, Health()).state)
        yield states
        family = GaugeMetricFamily("tagship_target_waiting_jobs", "Jobs that wait for a target.", labels=["target"])
        yield _labelled(family, {name: waiting.get(name, 0) for name in names})


def _labelled(family: CounterMetricFamily | GaugeMetricFamily, values: Mapping[str, float]) -> Metric:
    for label, value in sorted(values.items()):
        family.add_metric([label], value)
    return family


def _histogram(name: str, meaning: str, rows: Sequence[TallyRow]) -> Metric:
    numbers = {row.bucket: row.number for row in rows}
    sums = accumulate(numbers.get(place, 0) for place in range(len(BOUNDS) + 1))
    buckets = list(zip([*map(str, BOUNDS), "+Inf"], sums, strict=True))
    return HistogramMetricFamily(name, meaning, buckets, sum(row.seconds for row in rows))

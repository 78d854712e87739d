"""/metrics: who may read it, that every line is Prometheus' text format, and that its figures are the ledger's."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient
from prometheus_client.parser import text_string_to_metric_families
from sqlalchemy.engine import Engine

from shared.domain.histogram import BOUNDS, bucket_of, quantile
from shared.ledger import rollups
from tests.dashboard import ledger
from tests.dashboard.ledger import OPERATOR, VIEWER, Filled
from webhook.intake.accept_latency import AcceptTimes
from webhook.local.sample_webhooks import SampleCommit, github_push, sign_github
from webhook.monitoring import metrics

DOCS = Path(__file__).resolve().parents[2] / "docs"
_LINE = re.compile(r'[a-z_]+(\{([a-z]+="(\\.|[^"\\])*",?)+\})? -?[0-9.e+]+')


def scrape(client: FlaskClient, token: str = OPERATOR) -> dict[str, float]:
    answer = client.get("/metrics", headers={"Authorization": f"Bearer {token}"})
    assert answer.status_code == 200
    assert answer.content_type.startswith("text/plain; version=0.0.4")
    found = {}
    for line in answer.text.splitlines():
        if not line.startswith("# "):
            assert _LINE.fullmatch(line), line
            name, _, value = line.rpartition(" ")
            assert name not in found
            found[name] = float(value)
    return found


def fold(engine: Engine) -> None:
    while rollups.advance(engine, datetime.now(UTC) + timedelta(minutes=1)):
        pass


def test_metrics_need_a_token(stranger: FlaskClient) -> None:
    assert stranger.get("/metrics").status_code == 401
    assert stranger.get("/metrics", headers={"Authorization": "Bearer wrong"}).status_code == 401


@pytest.mark.parametrize("token", [OPERATOR, VIEWER])
def test_figures_are_those_of_the_ledger(stranger: FlaskClient, engine: Engine, filled: Filled, token: str) -> None:
    fold(engine)
    found = scrape(stranger, token)
    for state in ("succeeded", "failed", "retrying", "queued", "cancelled"):
        assert found[f'tagship_jobs{{status="{state}"}}'] == 1, state
    assert found['tagship_jobs{status="running"}'] == 0
    assert found['tagship_deliveries_total{status="accepted"}'] == 5
    assert found['tagship_deliveries_total{status="refused"}'] == 1
    assert found['tagship_attempts_total{outcome="failed"}'] == 1
    assert found['tagship_attempts_total{outcome="lost"}'] == 0
    assert found['tagship_target_state{state="paused",target="main"}'] == 1
    assert found['tagship_target_waiting_jobs{target="main"}'] == 2
    assert found['tagship_warnings_total{code="ref_differs"}'] == 1
    assert found['tagship_warnings_total{code="not_finalized"}'] == 0
    assert found['tagship_rule_matches_total{rule="tags"}'] == 5
    assert 2_500 < found["tagship_oldest_waiting_seconds"] < 3_600
    assert found["tagship_attempt_seconds_count"] == 3
    assert found["tagship_attempt_seconds_sum"] == pytest.approx(1.2)
    assert found['tagship_release_seconds_bucket{le="+Inf"}'] == found["tagship_release_seconds_count"] == 1
    assert found['tagship_release_seconds_bucket{le="300.0"}'] == 0  # it took ten minutes
    assert found["tagship_figures_trail_seconds"] == 0


def test_prometheus_own_parser_reads_it(stranger: FlaskClient, engine: Engine, filled: Filled) -> None:
    fold(engine)
    text = stranger.get("/metrics", headers={"Authorization": f"Bearer {VIEWER}"}).text
    kinds = {family.name: family.type for family in text_string_to_metric_families(text)}
    assert kinds == {
        "tagship_jobs": "gauge",
        "tagship_oldest_waiting_seconds": "gauge",
        "tagship_figures_trail_seconds": "gauge",
        "tagship_target_state": "gauge",
        "tagship_target_waiting_jobs": "gauge",
        "tagship_deliveries": "counter",
        "tagship_attempts": "counter",
        "tagship_warnings": "counter",
        "tagship_rule_matches": "counter",
        "tagship_accept_seconds": "histogram",
        "tagship_attempt_seconds": "histogram",
        "tagship_release_seconds": "histogram",
    }


def test_counters_do_not_change_when_folded_again_or_rows_are_deleted(
    stranger: FlaskClient, engine: Engine, filled: Filled
) -> None:
    fold(engine)
    before = scrape(stranger)
    fold(engine)
    from shared.ledger.tables import attempts, deliveries, jobs, payloads

    with engine.begin() as connection:
        for table in (attempts, jobs, payloads, deliveries):
            connection.execute(table.delete())
    after = scrape(stranger)
    assert {name: value for name, value in after.items() if "_total" in name} == {
        name: value for name, value in before.items() if "_total" in name
    }


def test_accept_times_of_several_processes_add_up(stranger: FlaskClient, app: Flask, engine: Engine) -> None:
    other = AcceptTimes(engine)
    other.note(datetime.now(UTC), 0.004)
    other.flush()
    sample = sign_github(github_push(repository="acme/shop", ref="refs/tags/v1", head=SampleCommit("one"), after="a" * 40), "s")
    assert stranger.post("/webhooks/github", data=sample.body, headers=sample.headers).status_code == 202
    assert stranger.post("/webhooks/github", data=b"{}", headers=sample.headers).status_code == 401  # not an accepted one
    assert scrape(stranger)["tagship_accept_seconds_count"] == 2


def test_the_trail_grows_only_while_something_waits_to_be_counted(engine: Engine, filled: Filled) -> None:
    def trail(at: datetime) -> float:
        with engine.connect() as connection:
            families = metrics.LedgerMetrics(connection, ledger.rules(), {}, at).collect()
            (found,) = [family for family in families if family.name == "tagship_figures_trail_seconds"]
            return found.samples[0].value

    now = datetime.now(UTC) + timedelta(minutes=1)
    while rollups.advance(engine, now):
        pass
    quiet = now + timedelta(days=2)
    assert trail(quiet) == 0
    ledger.accept(engine, ledger.rules(), name="v9", at=quiet)
    assert trail(quiet + timedelta(seconds=10)) == 0
    assert trail(quiet + timedelta(seconds=25)) == 25  # not the two days since something else was counted


def test_a_silent_week_is_leapt_over_and_each_window_counted_once(engine: Engine) -> None:
    now = datetime.now(UTC)
    for days in (7, 3, 1):
        ledger.accept(engine, ledger.rules(), name=f"v{days}", at=now - timedelta(days=days))
    assert [rollups.advance(engine, now) for _ in range(4)] == [True, True, True, False]
    with engine.begin() as connection:
        assert {(row.series, row.label): row.number for row in rollups.of_all_time(connection)} == {
            ("deliveries", "accepted"): 3,
            ("rules", "tags"): 3,
        }


def test_what_happened_just_now_waits_for_transactions_under_way(engine: Engine) -> None:
    ledger.accept(engine, ledger.rules())
    assert not rollups.advance(engine, datetime.now(UTC))
    assert rollups.advance(engine, datetime.now(UTC) + rollups.LATENESS)


@pytest.mark.parametrize(("seconds", "place"), [(0.0, 0), (0.001, 0), (0.0011, 1), (7200.0, 17), (9000.0, 18)])
def test_a_duration_falls_into_the_smallest_bucket_that_holds_it(seconds: float, place: int) -> None:
    assert bucket_of(seconds) == place


def test_quantiles_lie_inside_their_bucket() -> None:
    assert quantile({}, 0.5) is None
    assert quantile({bucket_of(0.3): 10}, 0.5) == pytest.approx(0.375)
    assert quantile({0: 95, bucket_of(4.0): 5}, 0.5) <= BOUNDS[0]  # type: ignore[operator]
    assert quantile({len(BOUNDS): 3}, 0.95) == BOUNDS[-1]


def test_alerts_and_the_grafana_dashboard_ask_for_metrics_that_exist(
    stranger: FlaskClient, engine: Engine, filled: Filled
) -> None:
    fold(engine)
    known = {name.partition("{")[0] for name in scrape(stranger)}
    grafana = json.loads((DOCS / "grafana-dashboard.json").read_text(encoding="utf-8"))
    asked = [target["expr"] for panel in grafana["panels"] for target in panel.get("targets", [])]
    text = "\n".join(asked) + (DOCS / "alerts.yml").read_text(encoding="utf-8")
    names = set(re.findall(r"tagship_[a-z_]+", text))
    assert names
    assert names <= known

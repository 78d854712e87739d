"""What the pages show, read from the ledger: a bounded number of rows each. Never writes."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy.engine import Connection

from shared.domain.filters import DeliveryFilter, Page
from shared.domain.job_states import JobState
from shared.domain.rules import Rules
from shared.domain.target_health import TargetState
from shared.ledger import repositories, rollups
from shared.ledger.queries import listings, stats
from webhook.ops.target_overview import known_targets, show

MOST_SILENT = 5
LAST_EVENTS = 10


def read_overview(connection: Connection, rules: Rules, now: datetime) -> dict[str, Any]:
    """What the overview shows of this moment; the last day is `figures.Day`."""
    job_counts = listings.count_jobs(connection)
    targets = read_targets(connection, rules)
    return {
        "failed_jobs": job_counts[JobState.FAILED],
        "waiting": job_counts[JobState.QUEUED] + job_counts[JobState.RETRYING],
        "oldest": stats.oldest_waiting_at(connection),
        "targets": targets,
        "ill": [target for target in targets if target["state"] != TargetState.OK],
        "silent": repositories.list_silent(connection, now=now, limit=MOST_SILENT),
        "events": listings.list_deliveries(connection, DeliveryFilter(), Page(LAST_EVENTS)).rows,
    }


def read_targets(connection: Connection, rules: Rules) -> list[dict[str, Any]]:
    """As the API shows them, with the time itself and a bounded count of the jobs that wait."""
    return [
        {**show(rules, name, health, listings.count_waiting(connection, name)), "paused_until": health.paused_until}
        for name, health in known_targets(connection, rules).items()
    ]


def read_rule_hits(connection: Connection) -> dict[str, int]:
    return {row.label: row.number for row in rollups.of_all_time(connection) if row.series == "rules"}

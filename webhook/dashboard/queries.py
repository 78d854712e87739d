"""What the pages show, read from the ledger: a bounded number of rows each. Never writes."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from shared.domain.filters import DeliveryFilter, Page
from shared.domain.job_states import JobState
from shared.domain.rules import Rules
from shared.domain.target_health import Health, TargetState
from shared.ledger import repositories, rollups, target_states
from shared.ledger.queries import listings, stats
from shared.ledger.tables import jobs
from webhook.ops import serializers

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
    """Those of the configuration, and those gone from it of which something is still known."""
    healths = target_states.find(connection)
    names = [*rules.targets, *sorted(set(healths) - set(rules.targets))]
    found = []
    for name in names:
        known = rules.targets.get(name)
        waiting = listings.count_waiting(connection, name)
        shown = serializers.target(
            name, known.url if known else None, known.org if known else None, healths.get(name, Health()), waiting
        )
        found.append({**shown, "paused_until": healths.get(name, Health()).paused_until})
    return found


def read_rule_hits(connection: Connection) -> dict[str, int]:
    return {row.label: row.number for row in rollups.of_all_time(connection) if row.series == "rules"}


def read_progress(connection: Connection, seq: int) -> dict[str, int]:
    """Where the jobs of a bulk replay stand; only its own rows are read."""
    statement = sa.select(jobs.c.status, sa.func.count().label("n")).where(jobs.c.replay_seq == seq).group_by(jobs.c.status)
    return {row.status: row.n for row in connection.execute(statement)}

"""What the pages show, read from the ledger: a bounded number of rows each. Never writes."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy.engine import Connection

from shared.domain.filters import NONE, DeliveryFilter, Page
from shared.domain.job_states import JobState
from shared.domain.rules import Rules
from shared.domain.target_health import Health, TargetState
from shared.ledger import repositories, target_states
from shared.ledger.queries import groups, listings, stats
from webhook.ops.advice import advise, advise_job
from webhook.ops.deliveries import list_deliveries
from webhook.ops.serializers import pause_party
from webhook.ops.target_overview import known_targets, show

MOST_SILENT = 5
MOST_GROUPS = 20


class Group(NamedTuple):
    """Jobs with something in common. `words`: the filter that lists just these."""

    status: str
    code: str | None
    number: int
    advice: str | None
    words: Mapping[str, str]


LAST_EVENTS = 10


def read_overview(connection: Connection, rules: Rules, now: datetime) -> dict[str, Any]:
    """What the overview shows of this moment; the last day is `figures.Day`."""
    job_counts = listings.count_jobs(connection)
    targets = read_targets(connection, rules)
    events = listings.list_deliveries(connection, DeliveryFilter(), Page(LAST_EVENTS)).rows
    return {
        "failed_jobs": job_counts[JobState.FAILED],
        "waiting": job_counts[JobState.QUEUED] + job_counts[JobState.RETRYING],
        "oldest": stats.oldest_waiting_at(connection),
        "targets": targets,
        "ill": [target for target in targets if target["state"] != TargetState.OK],
        "silent": repositories.list_silent(connection, now=now, limit=MOST_SILENT),
        "events": events,
        "told": list_deliveries(connection, events),
        "groups": read_groups(connection, target_states.find(connection)),
    }


def read_targets(connection: Connection, rules: Rules) -> list[dict[str, Any]]:
    """As the API shows them, with the time itself and a bounded count of the jobs that wait."""
    return [
        {**show(rules, name, health, listings.count_waiting(connection, name)), "paused_until": health.paused_until}
        for name, health in known_targets(connection, rules).items()
    ]


def read_groups(connection: Connection, healths: Mapping[str, Health]) -> list[Group]:
    """What failed, then what waits, the most first."""
    found = [
        _group("failed", key, number, key.code, advise_job("failed", key.code, None))
        for key, number in groups.of_failed(connection).most_common()
    ]
    for key, number in groups.of_waiting(connection).most_common():
        health = healths.get(key.target, Health())
        is_held = key.code is None and health.state is not TargetState.OK
        code = health.reason if is_held else key.code
        found.append(_group("waiting", key, number, code, advise(code, pause_party(health) if is_held else None)))
    return found


def _group(status: str, key: groups.Group, number: int, code: str | None, advice: str | None) -> Group:
    word = "reason" if status == "failed" else "waiting"
    words = {"status": status, word: key.code or NONE, "target": key.target}
    return Group(status, code, number, advice, {**words, "provider": key.provider, "repository": key.repository})

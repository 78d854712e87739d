"""The targets as people see them: those of the configuration, with what is known of each. Never commits."""

from __future__ import annotations

from typing import Any

from sqlalchemy.engine import Connection

from shared.domain.rules import Rules
from shared.domain.target_health import Health
from shared.ledger import due_jobs, target_states
from shared.ledger.queries import stats
from webhook.ops import serializers


def all_targets(connection: Connection, rules: Rules) -> list[dict[str, Any]]:
    """Those of the configuration, and those gone from it for which jobs still wait."""
    healths = target_states.find(connection)
    gone = set(due_jobs.targets(connection)) - set(rules.targets)
    return [_shown(connection, rules, name, healths.get(name, Health())) for name in [*rules.targets, *sorted(gone)]]


def is_target(connection: Connection, rules: Rules, name: str) -> bool:
    """Whether there is a target of this name, in the configuration or for jobs that still wait."""
    return name in rules.targets or stats.is_waited_for(connection, name)


def one_target(connection: Connection, rules: Rules, name: str) -> dict[str, Any]:
    """As `all_targets` shows it."""
    return _shown(connection, rules, name, target_states.find(connection).get(name, Health()))


def _shown(connection: Connection, rules: Rules, name: str, health: Health) -> dict[str, Any]:
    known = rules.targets.get(name)
    waiting = stats.count_waiting(connection, name)
    return serializers.target(name, known.url if known else None, known.org if known else None, health, waiting)

"""The targets as people see them: those of the configuration, with what is known of each. Never commits."""

from __future__ import annotations

from typing import Any

from sqlalchemy.engine import Connection

from shared import counts, target_states, views
from shared.rules import Rules
from shared.target_health import Health


def all_targets(connection: Connection, rules: Rules) -> list[dict[str, Any]]:
    """Those of the configuration, and those gone from it for which jobs still wait."""
    healths, waiting, known = target_states.find(connection), counts.waiting_by_target(connection), rules.targets
    return [
        views.target(
            name,
            known[name].url if name in known else None,
            known[name].org if name in known else None,
            healths.get(name, Health()),
            waiting.get(name, 0),
        )
        for name in [*known, *sorted(set(waiting) - set(known))]
    ]

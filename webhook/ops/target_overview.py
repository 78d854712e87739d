"""Which targets there are: those of the configuration, and those gone from it of which something is still known."""

from __future__ import annotations

from sqlalchemy.engine import Connection

from shared.domain.rules import Rules
from shared.domain.target_health import Health
from shared.ledger import due_jobs, target_states
from shared.ledger.queries import stats
from webhook.ops import serializers, shapes
from webhook.ops.advice import advise
from webhook.ops.serializers import pause_party


def known_targets(connection: Connection, rules: Rules) -> dict[str, Health]:
    """{name: health}: the configured ones in their order, then those that have a state or that jobs wait for."""
    healths = target_states.find(connection)
    gone = ({*healths, *due_jobs.targets(connection)}) - {*rules.targets}
    return {name: healths.get(name, Health()) for name in [*rules.targets, *sorted(gone)]}


def is_target(connection: Connection, rules: Rules, name: str) -> bool:
    return name in rules.targets or name in known_targets(connection, rules)


def all_targets(connection: Connection, rules: Rules) -> list[shapes.Target]:
    """As the API lists them."""
    return [_shown(connection, rules, name, health) for name, health in known_targets(connection, rules).items()]


def one_target(connection: Connection, rules: Rules, name: str) -> shapes.Target:
    """As `all_targets` shows it."""
    return _shown(connection, rules, name, target_states.find(connection).get(name, Health()))


def show(rules: Rules, name: str, health: Health, waiting: int) -> shapes.Target:
    known = rules.targets.get(name)
    return {
        "name": name,
        "url": known.url if known else None,
        "org": known.org if known else None,
        "state": health.state.value,
        "reason": health.reason,
        "detail": health.detail,
        "paused_until": serializers.moment(health.paused_until),
        "waiting_jobs": waiting,
        "advice": advise(health.reason, pause_party(health)),
    }


def _shown(connection: Connection, rules: Rules, name: str, health: Health) -> shapes.Target:
    return show(rules, name, health, stats.count_waiting(connection, name))

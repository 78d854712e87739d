"""`python -m webhook targets`: how each target fares; hold one, let it go on."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

import click

from shared.infra.database import reading
from shared.ledger import audit, target_states
from webhook.cli.common import as_json, nothing, open_tools
from webhook.cli.output import print_json, print_table
from webhook.ops.target_overview import all_targets, is_target


@click.group("targets")
def targets_group() -> None:
    """Look at the targets, pause and resume them."""


@targets_group.command("list")
@as_json
def list_targets(as_json: bool) -> None:
    """Each target, how it fares and how many jobs wait for it."""
    tools = open_tools()
    with reading(tools.engine).begin() as connection:
        items = all_targets(connection, tools.rules)
    if as_json:
        print_json({"items": items})
    else:
        print_table(items, ("name", "state", "waiting_jobs", "paused_until", "reason", "detail", "url"), None)


@targets_group.command("pause")
@click.argument("name")
def pause_target(name: str) -> None:
    """Send it nothing until it is resumed."""
    _set_target(name, target_states.pause, "paused")


@targets_group.command("resume")
@click.argument("name")
def resume_target(name: str) -> None:
    """Send to it again."""
    _set_target(name, target_states.resume, "resumed")


def _set_target(name: str, verb: Callable[..., None], done: str) -> None:
    tools = open_tools()
    with tools.engine.begin() as connection:
        known = is_target(connection, tools.rules, name)
        if known:
            verb(connection, name, now=datetime.now(UTC))
            action = {"paused": "target_pause", "resumed": "target_resume"}[done]
            audit.record(connection, door="cli", role="operator", action=action, subject=name)
    if not known:
        nothing(f"there is no target {name!r}; known are {', '.join(tools.rules.targets)}")
    click.echo(f"{name} {done}")

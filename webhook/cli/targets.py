"""`python -m webhook targets`: target health; pause, resume."""

from __future__ import annotations

from typing import Literal

import click

from shared.infra.database import reading
from webhook.cli.common import ACTOR, as_json, open_services
from webhook.cli.output import print_json, print_table
from webhook.ops import operations
from webhook.ops.target_overview import all_targets


@click.group("targets")
def targets_group() -> None:
    """Look at the targets, pause and resume them."""


@targets_group.command("list")
@as_json
def list_targets(as_json: bool) -> None:
    """List the targets, their health and how many jobs wait for each."""
    services = open_services()
    with reading(services.engine).begin() as connection:
        items = all_targets(connection, services.rules)
    if as_json:
        print_json({"items": items})
    else:
        print_table(items, ("name", "state", "waiting_jobs", "paused_until", "reason", "detail", "url"), None)


@targets_group.command("pause")
@click.argument("name")
def pause_target(name: str) -> None:
    """Stop sending until resumed."""
    _set_target(name, "pause")


@targets_group.command("resume")
@click.argument("name")
def resume_target(name: str) -> None:
    """Resume sending."""
    _set_target(name, "resume")


def _set_target(name: str, change: Literal["pause", "resume"]) -> None:
    operations.set_target(open_services(), ACTOR, name, change)
    click.echo(f"{name} {change}d")

"""`python -m webhook targets`: target health; check, pause, resume."""

from __future__ import annotations

import sys
from typing import Literal

import click

from shared.infra.database import reading
from shared.infra.exit_codes import FAILED
from webhook.cli.common import ACTOR, as_json, open_services, watching
from webhook.cli.output import print_json, print_table
from webhook.ops import operations
from webhook.ops.target_overview import all_targets


@click.group("targets")
def targets_group() -> None:
    """Look at the targets, check, pause and resume them."""


@targets_group.command("list")
@as_json
@watching
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


@targets_group.command("check")
@click.argument("name")
@click.option("--write", "writes", is_flag=True, help="Also make a test release, and delete it.")
@as_json
def check_target(name: str, writes: bool, as_json: bool) -> None:
    """Ask the target what releases need of it: address, token, projects, what it keeps.

    Writes nothing there without --write. Exit 1: a check has failed.
    """
    found = operations.check_target(open_services(), ACTOR, name, writes=writes)
    if as_json:
        print_json(found)
    else:
        print_table(found["checks"], ("check", "state", "detail"), None, whole="detail")
    if not found["usable"]:
        sys.exit(FAILED)


def _set_target(name: str, change: Literal["pause", "resume"]) -> None:
    operations.set_target(open_services(), ACTOR, name, change)
    click.echo(f"{name} {change}d")

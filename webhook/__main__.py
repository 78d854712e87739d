"""`python -m webhook ...`: the web process, the local stack, and the operators' command line."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import click

from shared import __version__
from shared.config import rules_file
from shared.config.changed_files import read_config
from shared.config.settings import from_env
from shared.domain.provider_settings import PROVIDER_NAMES, secret_variable
from shared.domain.source_versions import meeting_rules
from shared.errors import SettingsError
from shared.infra import logs
from shared.infra.backup import back_up
from shared.infra.database import make_engine
from shared.infra.exit_codes import run_command
from shared.infra.server import check_free
from shared.infra.server import serve as serve_app
from shared.infra.visible_text import isolated
from shared.ledger.tables import SCHEMA
from webhook.cli import GROUPS
from webhook.cli.common import read_settings
from webhook.cli.dry_runs import backfill, explain, reconcile, what_if
from webhook.cli.send import send
from webhook.intake.keyring import check_config, check_ops_tokens, make_keyrings, token_in_the_clear
from webhook.ops.process_shapes import Process
from webhook.ops.processes import find_processes
from webhook.ops.renames import list_left_behind, matched_rules
from webhook.ops.rule_warnings import warnings as rule_warnings


@click.group()
@click.version_option(__version__, prog_name="tagship")
def main() -> None:
    """Tagship: turns the pushes and tags of GitHub and GitLab into releases."""


@main.command()
def serve() -> None:
    """Serve the receiver on HOST and PORT until SIGTERM."""
    settings = from_env(os.environ, is_terminal=sys.stderr.isatty())
    keyrings = make_keyrings(settings, rules_file.load(settings).sources)
    if not keyrings:
        raise SettingsError(
            [f"no webhook secret is set: give {' or '.join(map(secret_variable, PROVIDER_NAMES))} (a provider without is off)"]
        )
    check_ops_tokens(settings, keyrings)
    check_free("PORT", settings.host, settings.port)
    SCHEMA.check(make_engine(settings.database_url, "tagship-web"))
    if (warning := token_in_the_clear(settings, keyrings)) is not None:
        logs.setup(settings.log_format, settings.log_level)
        logs.get(__name__).warning("serve.token_in_the_clear", detail=warning)
    serve_app("webhook.app:create_asgi", host=settings.host, port=settings.port, workers=settings.web_concurrency)


@main.command()
def run() -> None:
    """Run the whole stack on this machine until Ctrl-C."""
    from webhook.local.run import run as run_stack  # only this command needs the supervisor

    sys.exit(run_stack())


@main.command()
def demo() -> None:
    """Run a throw-away stack, send signed sample pushes, show their releases."""
    from webhook.local.demo import demo as run_demo  # only this command needs the samples

    sys.exit(run_demo())


@main.group()
def db() -> None:
    """The ledger's database."""


@db.command()
def upgrade() -> None:
    """Migrate the database to this program's schema."""
    click.echo(f"schema at {SCHEMA.upgrade(make_engine(read_settings().database_url))}")


@db.command()
@click.argument("file", type=click.Path(path_type=Path))
def backup(file: Path) -> None:
    """Copy the ledger to a new file while everything runs (SQLite)."""
    size = back_up(make_engine(read_settings().database_url, "tagship-cli"), file)
    click.echo(f"{file}: {size:,} bytes")


@main.group("config")
def config_group() -> None:
    """The rules and targets in force."""


@config_group.command()
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
def check(as_json: bool) -> None:
    """Read the settings and tagship.toml; name every fault, and warn of rules that never release, match nothing or overlap."""
    settings = read_settings()
    rules, digest = check_config(settings), read_config(settings).digest
    engine = make_engine(settings.database_url)
    warnings = [*meeting_rules(rules), *list_left_behind(rules, engine), *rule_warnings(rules, matched_rules(engine))]
    running = find_processes(engine, datetime.now(UTC))
    if as_json:
        names = {"rules": [rule.name for rule in rules.rules], "targets": sorted(rules.targets)}
        names["sources"] = [source.name for source in rules.sources]
        click.echo(json.dumps({**names, "warnings": warnings, "digest": digest, "processes": running}))
        return
    for warning in warnings:
        click.echo(f"warning: {isolated(warning)}", err=True)
    sources = f", sources: {len(rules.sources)}" if rules.sources else ""
    where = settings.config_path or "no file: the default rule"
    click.echo(f"fine; rules: {len(rules.rules)}, targets: {len(rules.targets)}{sources} ({where})")
    _print_processes(running, digest)


def _print_processes(running: Sequence[Process], digest: str | None) -> None:
    for one in running:
        uses = "this file" if one["digest"] == digest else f"another file ({(one['digest'] or 'none')[:12]})"
        refuses = ", refuses the newer one" if one["errors"] else ""
        click.echo(f"{one['kind']} {one['pid']} on {isolated(one['host'])}: {uses}{refuses}")


for command in (*GROUPS, send, explain, what_if, reconcile, backfill):
    main.add_command(command)


if __name__ == "__main__":
    run_command(main)

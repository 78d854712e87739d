"""`python -m webhook explain|what-if|reconcile|backfill`: what would happen, and what should have happened."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import NoReturn

import click

from shared.config import rules_file
from shared.domain.job_states import Trigger
from shared.domain.provider_settings import PROVIDER_NAMES
from shared.domain.push import Repository
from shared.domain.reconcile_report import ReconcileEntry, ReconcileReport
from shared.errors import BadParameter, BadPayload, PermanentError, TransientError, UnknownProvider
from shared.forges.errors import RateLimited
from shared.forges.repository_key import read_repository
from shared.infra.exit_codes import FAILED, NOTHING_MATCHED, WRONG_USE
from shared.infra.http_client import make_client
from shared.reconcile import RECENT_TAGS, Comparer, ReconcileRun
from webhook.cli.common import ACTOR, open_services, progress, read_settings
from webhook.cli.output import print_json, printable
from webhook.ops import explain as explaining
from webhook.ops import operations
from webhook.ops import what_if as stored
from webhook.services import Services

_MOST_TAGS = 5  # a line

_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.command()
@click.argument("files", nargs=-1, required=True, type=_FILE)
@click.option("--provider", required=True, help=f"{' or '.join(PROVIDER_NAMES)}.")
@click.option("--event", help="The event: push, tag_push, ping, or as the provider's header says it.")
@click.option("--config", "config_file", type=_FILE, help="Another tagship.toml than the one in force.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a file.")
def explain(files: Sequence[Path], provider: str, event: str | None, config_file: Path | None, as_json: bool) -> None:
    """Say what a payload would do under the rules in force, and why. Writes nothing. Exit 3: no release at all."""
    rules = rules_file.load(read_settings(config_file))
    releases = 0
    for file in files:
        body = file.read_bytes()
        try:
            said = explaining.explain(provider, event or explaining.guess_event(provider, body), body, rules, datetime.now(UTC))
        except (BadPayload, UnknownProvider) as problem:
            hint = "" if event else " (read as a push: name another event with --event)"
            click.echo(f"tagship: {file.name}: {printable(str(problem))}{hint}", err=True)
            sys.exit(WRONG_USE)
        releases += len(said.releases)
        if as_json:
            print_json({"file": str(file), **said.as_json()})
        else:
            _print_explanation(file, said)
    if not releases:
        sys.exit(NOTHING_MATCHED)


def _print_explanation(file: Path, said: explaining.Explanation) -> None:
    because = f" ({said.decision.reason}: {said.decision.detail})" if said.decision.reason else ""
    click.echo(printable(f"{file.name}: {said.status}{because}"))
    click.echo(f"  {printable(said.event)} of {said.repository or 'no repository'}, {printable(said.ref or 'no ref')}")
    for step in said.decision.trail:
        mark = "+" if step.matched else "-"
        click.echo(printable(f"  {mark} rule {step.rule!r}: {step.compared}: {step.outcome}"))
    for release in said.releases:
        click.echo(printable(f"  POST {release['url']}/api/0/organizations/{release['org']}/releases/"))
        print_json(release["body"])
        if release["set_commits"] == "auto":
            click.echo("  (commits as the payload has them; the worker takes the whole range from log and forge)")


@click.command("what-if")
@click.argument("config_file", metavar="FILE", type=_FILE)
@click.option(
    "--last", type=click.IntRange(1, 1_000_000), default=500, show_default=True, help="The newest so many deliveries."
)
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
def what_if(config_file: Path, last: int, as_json: bool) -> None:
    """Decide stored deliveries again under the tagship.toml FILE; list those of another verdict than they had.

    Writes nothing. Exit 3: no verdict changes.
    """
    services = open_services(config_file)
    length, hidden = stored.count_stored(services.engine, last), not sys.stderr.isatty()
    compared = stored.compare(services.engine, services.rules, last)
    with click.progressbar(compared, length=length, label="deciding", file=sys.stderr, hidden=hidden) as bar:
        summary = stored.summarise(bar)
    if as_json:
        print_json(summary.as_json())
    else:
        _print_summary(summary)
    if not summary.changes:
        sys.exit(NOTHING_MATCHED)


def _print_summary(summary: stored.Summary) -> None:
    for change in summary.changes:
        named = change.delivery
        click.echo(f"{named['provider']}:{named['repository']}  {printable(str(named['ref']))}  (delivery {named['id']})")
        click.echo(printable(f"  - {change.before.as_text()}"))
        click.echo(printable(f"  + {change.after.as_text() if change.after else '-'}"))
    gone = f"; {summary.expired} of them have no payload any more" if summary.expired else ""
    click.echo(f"{len(summary.changes)} of {summary.looked_at} deliveries would have another verdict{gone}")


def _comparing(
    repository: str, limit: int | None, trigger: Trigger, *, dry_run: bool, with_deploys: bool, as_json: bool
) -> None:
    try:
        where = read_repository(repository)
    except BadParameter as problem:
        raise click.UsageError(str(problem)) from None
    services = open_services()
    if dry_run:
        operations.note_comparison(services, ACTOR, where, most_tags=limit)
        found, queued = _compare(services, where, limit), list[str]()
    else:
        mine = operations.reconcile(
            services, ACTOR, where, most_tags=limit, creates=True, trigger=trigger, claims=True, with_deploys=with_deploys
        )
        assert mine is not None  # noqa: S101  (it was claimed, or refused by an exception)
        with make_client(services.settings.outgoing) as client:
            run = ReconcileRun(services.engine, Comparer(services.settings, services.rules, services.engine, client), mine)
            found, queued = _carry_out(run), run.queued
    if as_json:
        missing, refused = ([entry.as_json() for entry in entries] for entries in (found.missing, found.refused))
        print_json({"repository": where.key, "tags": found.tags, "missing": missing, "refused": refused, "queued": queued})
    else:
        _print_comparison(where.key, found, queued, dry_run)
    if not found.missing:
        sys.exit(NOTHING_MATCHED)


def _compare(services: Services, where: Repository, limit: int | None) -> ReconcileReport:
    with make_client(services.settings.outgoing) as client:
        try:
            return Comparer(services.settings, services.rules, services.engine, client).compare(where, limit)
        except (PermanentError, TransientError) as problem:
            _fail(str(problem))


def _carry_out(run: ReconcileRun) -> ReconcileReport:
    """Compare and create. However it ends, the run does not stay claimed by a process that is gone."""
    try:
        found = run.compare()
        with progress(len(found.missing), "queueing") as bar:
            for handled in run.create(found):
                bar.update(handled)
        return found
    except RateLimited as problem:
        run.wait(problem.until, str(problem))
        _fail(f"{problem}; a sweeper goes on then")
    except (PermanentError, TransientError) as problem:
        run.fail(str(problem))
        _fail(str(problem))
    except KeyboardInterrupt:
        run.fail("interrupted by an operator")
        raise


def _fail(why: str) -> NoReturn:
    click.echo(f"tagship: {printable(why)}", err=True)
    sys.exit(FAILED)


def _print_comparison(key: str, found: ReconcileReport, queued: Sequence[str], dry_run: bool) -> None:
    for item in (entry.as_json() for entry in found.missing):
        click.echo(f"missing  {printable(item['tag'])}  {printable(item['version'])} at {item['target']}  ({item['why']})")
    for reason, entries in _by_reason(found.refused).items():
        tags = [printable(entry.tag) for entry in entries]
        more = f" and {len(tags) - _MOST_TAGS} more" if len(tags) > _MOST_TAGS else ""
        click.echo(f"none     {', '.join(tags[:_MOST_TAGS])}{more}  ({reason}: {printable(entries[-1].detail or '')})")
    click.echo(f"{key}: {found.tags} tags, {len(found.missing)} releases missing, {len(found.refused)} tags without a release")
    if found.missing and not dry_run:
        click.echo(f"queued: {len(queued)}; the sweeper feeds them out at the target's pace")


def _by_reason(refused: Sequence[ReconcileEntry]) -> dict[str, list[ReconcileEntry]]:
    """{reason: tags that make no release}."""
    found: dict[str, list[ReconcileEntry]] = {}
    for entry in refused:
        found.setdefault(str(entry.why), []).append(entry)
    return found


@click.command()
@click.argument("repository", metavar="REPO")
@click.option("--dry-run", is_flag=True, help="List what is missing, create nothing.")
@click.option("--with-deploys", is_flag=True, help="Also record the deploys that the rules ask for.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
def reconcile(repository: str, dry_run: bool, with_deploys: bool, as_json: bool) -> None:
    """Create the releases of REPO's newest tags that no webhook told us of. Exit 3: nothing is missing."""
    _comparing(repository, RECENT_TAGS, Trigger.RECONCILE, dry_run=dry_run, with_deploys=with_deploys, as_json=as_json)


@click.command()
@click.argument("repository", metavar="REPO")
@click.option("--limit", type=click.IntRange(1, 100_000), help="The newest so many tags only.")
@click.option("--dry-run", is_flag=True, help="List what is missing, create nothing.")
@click.option("--with-deploys", is_flag=True, help="Also record the deploys that the rules ask for.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
def backfill(repository: str, limit: int | None, dry_run: bool, with_deploys: bool, as_json: bool) -> None:
    """Create the releases of all of REPO's tags, oldest first. Exit 3: nothing is missing."""
    _comparing(repository, limit, Trigger.BACKFILL, dry_run=dry_run, with_deploys=with_deploys, as_json=as_json)

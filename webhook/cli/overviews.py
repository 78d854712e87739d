"""`python -m webhook releases|repositories|rules|audit|stats`: what the pages show beside jobs and deliveries."""

from __future__ import annotations

from datetime import UTC, datetime

import click

from shared.domain import filters
from shared.errors import BadParameter
from shared.forges.repository_key import read_repository
from shared.infra.database import reading
from shared.ledger.queries.stats import count_by_status, oldest_waiting_at
from webhook.cli.common import as_json, filtering, open_services, print_list, watching
from webhook.cli.output import print_facts, print_json, print_table
from webhook.ops import overviews
from webhook.ops.serializers import moment


@click.group("releases")
def releases_group() -> None:
    """Look at the releases that were made."""


@releases_group.command("list")
@filtering(*overviews.RELEASE_WORDS, *filters.PAGE_WORDS)
@as_json
@watching
def list_releases(words: dict[str, str], as_json: bool) -> None:
    """List releases, newest first."""
    wanted, page = filters.read_job_filter(words, datetime.now(UTC)), filters.read_page(words, "job")
    with reading(open_services().engine).begin() as connection:
        items, found = overviews.list_releases(connection, wanted, page)
    shown = items if as_json else [{**item, "commits": item["range"] and item["range"]["commits"]} for item in items]
    columns = ("released_at", "version", "target", "repository", "commits", "url")
    print_list(shown, columns, found.next_cursor, is_cut=found.is_cut, as_json=as_json, noun="release")


@click.group("repositories")
def repositories_group() -> None:
    """Look at the repositories that pushed."""


@repositories_group.command("list")
@filtering(*filters.PAGE_WORDS)
@as_json
@watching
def list_repositories(words: dict[str, str], as_json: bool) -> None:
    """List the repositories that ever pushed, by name."""
    page = filters.read_page(words, "repository")
    with reading(open_services().engine).begin() as connection:
        items, following = overviews.list_repositories(connection, page, datetime.now(UTC))
    columns = ("provider", "repository", "last_push_at", "last_version", "last_release_at", "is_silent", "missing")
    print_list(items, columns, following, is_cut=False, as_json=as_json, noun="repository")


@repositories_group.command("show")
@click.argument("repository", metavar="REPO")
@as_json
@watching
def show_repository(repository: str, as_json: bool) -> None:
    """Show REPO (github:acme/shop), and what its last comparison with the forge found."""
    try:
        named = read_repository(repository)
    except BadParameter as problem:
        raise click.UsageError(str(problem)) from None
    with reading(open_services().engine).begin() as connection:
        found = overviews.show_repository(connection, named, datetime.now(UTC))
    if as_json:
        print_json(found)
        return
    compared = found["comparison"]
    entries = compared["entries"] if compared is not None else []
    print_facts({**found, "comparison": {**compared, "entries": len(entries)} if compared is not None else None})
    print_table(entries, ("tag", "version", "target", "why", "reason", "detail"), None)


@click.group("rules")
def rules_group() -> None:
    """Look at the rules in force."""


@rules_group.command("list")
@as_json
def list_rules(as_json: bool) -> None:
    """List the rules in the order in which they are tried, and how often each matched."""
    services = open_services()
    with reading(services.engine).begin() as connection:
        items = overviews.list_rules(connection, services.rules)
    if as_json:
        print_json({"items": items})
    else:
        joined = [{name: ", ".join(held) if isinstance(held, list) else held for name, held in item.items()} for item in items]
        print_table(joined, ("name", "matched", "repo", "refs", "release", "targets", "projects", "set_commits"), None)


@click.group("audit")
def audit_group() -> None:
    """Look at who did what."""


@audit_group.command("list")
@filtering(*filters.PAGE_WORDS)
@as_json
def list_audit(words: dict[str, str], as_json: bool) -> None:
    """List the audit log, newest first."""
    page = filters.read_page(words, "audit")
    with reading(open_services().engine).begin() as connection:
        items, following = overviews.list_audit(connection, page)
    columns = ("at", "interface", "role", "address", "action", "subject", "detail")
    print_list(items, columns, following, is_cut=False, as_json=as_json, noun="entry")


@click.command()
@as_json
@watching
def stats(as_json: bool) -> None:
    """Count jobs by status and deliveries by status."""
    with reading(open_services().engine).begin() as connection:
        counted = {**count_by_status(connection), "oldest_waiting_at": moment(oldest_waiting_at(connection))}
    if as_json:
        print_json(counted)
    else:
        print_facts(counted)

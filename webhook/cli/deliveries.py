"""`python -m webhook deliveries`: look at webhooks that came in, decide one again."""

from __future__ import annotations

from datetime import UTC, datetime

import click

from shared.domain import filters
from shared.infra.database import reading
from shared.ledger import audit, target_states
from shared.ledger.queries import listings, lookup
from webhook.cli.common import as_json, filtering, nothing, open_tools, print_list, told_why, whole_id
from webhook.cli.output import print_facts, print_json, print_table, printable
from webhook.openapi.filter_parameters import MEANING
from webhook.ops import replays, serializers

_DONE = "whatever it asks for has succeeded or waits already"


@click.group("deliveries")
def deliveries_group() -> None:
    """Look at webhooks that came in, decide one again."""


@deliveries_group.command("list")
@filtering(*filters.DELIVERY_WORDS, *filters.PAGE_WORDS)
@as_json
def list_deliveries(words: dict[str, str], as_json: bool) -> None:
    """Newest first."""
    wanted, page = filters.read_delivery_filter(words, datetime.now(UTC)), filters.read_page(words, "delivery")
    with reading(open_tools().engine).begin() as connection:
        found = listings.list_deliveries(connection, wanted, page)
    items = serializers.list_deliveries(found.rows)
    columns = ("created_at", "id", "provider", "status", "repository", "ref", "reason")
    print_list(items, columns, found.next_cursor, is_cut=found.is_cut, as_json=as_json, noun="delivery")


@deliveries_group.command("show")
@click.argument("delivery_id")
@click.option("--provider", help=MEANING["provider"])
@as_json
def show_delivery(delivery_id: str, provider: str | None, as_json: bool) -> None:
    """One delivery: why it became what, its jobs, its payload (with --json). The beginning of its id is enough where no
    other begins so."""
    with reading(open_tools().engine).begin() as connection:
        delivery_id = whole_id(delivery_id, lookup.delivery_ids(connection, delivery_id, provider), "deliveries")
        row = lookup.find_delivery(connection, delivery_id, provider)
        if row is None:
            nothing("there is no delivery of this id")
            return
        healths = target_states.find(connection)
        made = [serializers.job(job, healths) for job in lookup.find_jobs(connection, list(row.jobs))]
    if as_json:
        print_json(serializers.whole_delivery(row))
        return
    print_facts(serializers.delivery(row))
    print_table(row.why or [], ("rule", "matched", "compared", "outcome"), None)
    print_table(told_why(made), ("id", "status", "attempts", "target", "version", "reason", "error"), None)


@deliveries_group.command("replay")
@click.argument("delivery_id")
@click.option("--provider", help=MEANING["provider"])
@as_json
def replay_delivery(delivery_id: str, provider: str | None, as_json: bool) -> None:
    """Decide it again by today's rules; jobs are made only for what has not succeeded. The beginning of its id is enough
    where no other begins so."""
    tools = open_tools()
    with tools.engine.begin() as connection:
        delivery_id = whole_id(delivery_id, lookup.delivery_ids(connection, delivery_id, provider), "deliveries")
        row = lookup.find_delivery(connection, delivery_id, provider)
        if row is None:
            nothing("there is no delivery of this id")
            return
        made = replays.replay_delivery(connection, row, tools.rules, now=datetime.now(UTC))
        done = {"jobs": made}
        audit.record(connection, door="cli", role="operator", action="delivery_replay", subject=delivery_id, detail=done)
    if as_json:
        print_json({"jobs": made})
    else:
        click.echo("\n".join(made) if made else f"nothing to do: {printable(replays.why_nothing(row, tools.rules) or _DONE)}")

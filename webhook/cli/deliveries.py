"""`python -m webhook deliveries`: look at webhooks that came in, decide one again."""

from __future__ import annotations

from datetime import UTC, datetime

import click

from shared.domain import filters
from shared.infra.database import reading
from shared.ledger import target_states
from shared.ledger.queries import listings, lookup
from webhook.cli.common import ACTOR, as_json, filtering, open_services, print_list, told_why, watching, whole_id
from webhook.cli.output import print_facts, print_json, print_table, printable
from webhook.openapi.filter_parameters import MEANING
from webhook.ops import deliveries, operations, serializers, shapes, short_ids

_DONE = "everything it asks for has succeeded or is waiting"


@click.group("deliveries")
def deliveries_group() -> None:
    """Look at webhooks that came in, decide one again."""


@deliveries_group.command("list")
@filtering(*filters.DELIVERY_WORDS, *filters.PAGE_WORDS)
@as_json
@watching
def list_deliveries(words: dict[str, str], as_json: bool) -> None:
    """List deliveries, newest first."""
    wanted, page = filters.read_delivery_filter(words, datetime.now(UTC)), filters.read_page(words, "delivery")
    with reading(open_services().engine).begin() as connection:
        found = listings.list_deliveries(connection, wanted, page)
        items = deliveries.list_deliveries(connection, found.rows)
    columns = ("created_at", "id", "provider", "status", "repository", "ref", "outcome")
    told = [{**item, "outcome": item["outcome"]["text"]} for item in items]
    print_list(items if as_json else told, columns, found.next_cursor, is_cut=found.is_cut, as_json=as_json, noun="delivery")


@deliveries_group.command("show")
@click.argument("delivery_id")
@click.option("--provider", help=MEANING["provider"])
@as_json
def show_delivery(delivery_id: str, provider: str | None, as_json: bool) -> None:
    """Show a delivery, why it made which jobs, and its payload (with --json). Any unique ID prefix is enough."""
    services = open_services()
    with reading(services.engine).begin() as connection:
        delivery_id = whole_id(lambda: short_ids.whole_delivery_id(connection, delivery_id, provider))
        row = lookup.find_delivery(connection, delivery_id, provider)
        healths = target_states.find(connection)
        made = [
            serializers.job(job, healths, services.waits_for_broker) for job in lookup.find_jobs(connection, list(row.jobs))
        ]
        whole = deliveries.whole_delivery(connection, row)
    if as_json:
        print_json(whole)
        return
    shown = {name: whole[name] for name in shapes.Delivery.__annotations__}  # type: ignore[literal-required]
    print_facts({**shown, "outcome": whole["outcome"]["text"]})
    print_table(row.why or [], ("rule", "matched", "compared", "outcome"), None)
    print_table(told_why(made), ("id", "status", "attempts", "target", "version", "reason", "error"), None)


@deliveries_group.command("replay")
@click.argument("delivery_id")
@click.option("--provider", help=MEANING["provider"])
@as_json
def replay_delivery(delivery_id: str, provider: str | None, as_json: bool) -> None:
    """Decide a delivery again by today's rules; creates only missing releases. Any unique ID prefix is enough."""
    services = open_services()
    with reading(services.engine).begin() as connection:
        delivery_id = whole_id(lambda: short_ids.whole_delivery_id(connection, delivery_id, provider))
    answer = operations.replay_delivery(services, ACTOR, delivery_id, provider)
    if as_json:
        print_json(answer)
    else:
        click.echo("\n".join(answer["jobs"]) or f"nothing to do: {printable(answer.get('detail', _DONE))}")

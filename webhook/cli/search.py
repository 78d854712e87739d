"""`python -m webhook search`: everything that a version, tag, branch, commit, repository or id names."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import click

from shared.infra.database import reading
from webhook.cli.common import as_json, nothing, open_services, told_why
from webhook.cli.output import print_json, print_table, printable
from webhook.ops import search


@click.command("search")
@click.argument("words", metavar="Q")
@as_json
def find(words: str, as_json: bool) -> None:
    """Find jobs, deliveries and repositories by a version, tag, branch, commit (7 digits or more), repository or ID.

    Says of each what became of it, why, and what to do. The beginning of a name is enough.
    """
    services = open_services()
    with reading(services.engine).begin() as connection:
        found = search.find(services, connection, words)
    if as_json:
        print_json(found)
    else:
        rows = [row for hit in found["items"] for row in _rows(hit)]
        columns = ("kind", "id", "status", "repository", "ref", "target", "version", "why")
        print_table(rows, columns, None)
        for advice in dict.fromkeys(row["advice"] for row in rows if row["advice"]):
            click.echo(printable(f"what to do: {advice}"))
        if found["is_cut"]:
            click.echo("tagship: more was found than is listed; give more of the name", err=True)
    if not found["items"]:
        nothing(str(found["advice"]))


def _rows(hit: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    if (job := hit["job"]) is not None:
        (told,) = told_why([job])
        yield {**job, "kind": "job", "why": _both(told["reason"], job["error"]), "ref": job["ref"]}
    elif (delivery := hit["delivery"]) is not None:
        outcome = delivery["outcome"]["text"]
        yield {**delivery, "kind": "delivery", "why": _both(outcome, delivery["detail"])}
    else:
        yield {"kind": "repository", "id": None, "repository": hit["repository"], "advice": None}


def _both(code: str | None, sentence: str | None) -> str | None:
    """`project_unknown: the target answered 400`."""
    return ": ".join(dict.fromkeys(text for text in (code, sentence) if text)) or None

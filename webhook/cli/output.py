"""Prints rows for people. Texts out of payloads are attacker-written: nothing in them may steer a terminal."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import click

_WIDEST = 60


def print_json(value: Any) -> None:
    click.echo(json.dumps(value, indent=2))


def print_table(rows: Sequence[Mapping[str, Any]], columns: Sequence[str], following: str | None, *, whole: str = "") -> None:
    """One line a row, each column as wide as its widest text. The column `whole` is never cut."""
    if not rows:
        return
    lines = [tuple(columns), *(tuple(_text(row.get(column), column, column == whole) for column in columns) for row in rows)]
    widths = [max(len(line[index]) for line in lines) for index in range(len(columns))]
    for line in lines:
        click.echo("  ".join(text.ljust(width) for text, width in zip(line, widths, strict=True)).rstrip())
    if following is not None:
        click.echo(f"more: --cursor {following}")


def print_facts(facts: Mapping[str, Any]) -> None:
    """One line a fact; what is not known stays away."""
    width = max(len(name) for name in facts)
    for name, value in facts.items():
        if value is not None:
            text = json.dumps(value) if isinstance(value, (dict, list)) else str(value)
            click.echo(f"{name.ljust(width)}  {printable(text)}")
    click.echo()


def print_exchanges(attempt: Mapping[str, Any]) -> None:
    """What one attempt sent (`>`) and got (`<`)."""
    for number, one in enumerate(attempt["exchanges"]):
        if not number:
            click.echo(f"\nattempt {attempt['number']}")
        request, response = one["request"], one["response"]
        came = response["status"] if response else one["error"]
        click.echo(printable(f"  {request['method']} {request['url']}: {came} after {one['milliseconds']} ms"))
        for sign, side in ((">", request), ("<", response or {"headers": {}, "body": None})):
            for name, value in side["headers"].items():
                click.echo(printable(f"    {sign} {name}: {value}"))
            if side["body"]:
                click.echo(printable(f"    {sign} {side['body']}{' ...' if side['is_cut'] else ''}"))
    if attempt["exchanges_left_out"]:
        click.echo(f"  {attempt['exchanges_left_out']} more calls between these were not kept")


def _text(value: Any, column: str, is_whole: bool) -> str:
    """An id is never cut: it is there to be copied."""
    if value is None:
        return "-"
    text = printable(str(value))
    return text if is_whole or len(text) <= _WIDEST or column.endswith("id") else text[: _WIDEST - 1] + "…"


def printable(text: str) -> str:
    """Every character that a terminal would obey or that reorders text, written out."""
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode() for char in text)

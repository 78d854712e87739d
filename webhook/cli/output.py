"""Prints rows for people. Texts out of payloads are attacker-written: nothing in them may steer a terminal."""

from __future__ import annotations

import json
import os
import shutil
import sys
from collections.abc import Container, Mapping, Sequence
from typing import Any

import click

from shared.infra.visible_text import isolated, visible

_WIDEST = 60
_NARROWEST = 8  # characters of a column that is cut to fit the terminal


def print_json(value: Any) -> None:
    click.echo(json.dumps(value, indent=2))


def print_table(rows: Sequence[Mapping[str, Any]], columns: Sequence[str], following: str | None, *, whole: str = "") -> None:
    """One line a row, fitted to the terminal (or COLUMNS) by cutting the widest columns. The column `whole` is never cut."""
    if not rows:
        return
    lines = [tuple(columns), *(tuple(_text(row.get(column), column, column == whole) for column in columns) for row in rows)]
    widths = [max(len(line[index]) for line in lines) for index in range(len(columns))]
    room = _terminal_width()
    if room is not None:
        fixed = {index for index, column in enumerate(columns) if column == whole or column.endswith("id")}
        widths = fitted(widths, room - 2 * (len(columns) - 1), fixed)
    for line in lines:
        texts = (_cell(text, width) for text, width in zip(line, widths, strict=True))
        click.echo("  ".join(texts).rstrip())
    if following is not None:
        click.echo(f"more: --cursor {following}")


def fitted(widths: Sequence[int], room: int, fixed: Container[int] = ()) -> list[int]:
    """Widths that together take `room` at most: the widest lose first, none below NARROWEST, those `fixed` nothing at all."""
    found = list(widths)
    while sum(found) > room:
        loose = [index for index, width in enumerate(found) if index not in fixed and width > _NARROWEST]
        if not loose:
            break
        widest = max(loose, key=found.__getitem__)
        found[widest] -= 1
    return found


def _terminal_width() -> int | None:
    """In characters; None where a program reads, which gets everything."""
    if (columns := os.environ.get("COLUMNS", "")).isdigit() and int(columns) > 0:
        return int(columns)
    return shutil.get_terminal_size().columns if sys.stdout.isatty() else None


def _cut(text: str, width: int) -> str:
    return text if len(text) <= width else text[: width - 1] + "…"


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
    text = visible(str(value))
    return text if is_whole or column.endswith("id") else _cut(text, _WIDEST)


def _cell(text: str, width: int) -> str:
    """The cell of a table, set apart from its neighbours where it is written from right to left."""
    shown = _cut(text, width)
    return isolated(shown) + " " * (width - len(shown))


def printable(text: str) -> str:
    """Every character that a terminal would obey or that reorders text, written out."""
    return isolated(text)

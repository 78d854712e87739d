"""Prints results as a table of ratios and keeps them as JSON and Markdown."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from bench.row import Result

RESULTS = Path(__file__).parent / "results"
_HEAD = "| row | case | ours | peer | ratio | required | spread ours / peer |"


def table(results: Sequence[Result]) -> str:
    lines = [_HEAD, "| --- " * _HEAD.count(" | ") + "| --- |"]
    for one in results:
        required = "-" if one.required is None else f"{'<=' if one.is_most else '>='} {one.required}"
        lines.append(
            f"| {one.row} | {one.case} | {_figure(one.median(one.ours))} {one.unit} ({one.ours})"
            f" | {_figure(one.median(one.peer))} {one.unit} ({one.peer}) | **{one.ratio:.2f}** | {required}"
            f" | {one.spread(one.ours):.0%} / {one.spread(one.peer):.0%} |"
        )
    return "\n".join(lines)


def _figure(number: float) -> str:
    return f"{number:,.0f}" if number >= 20 else f"{number:.3g}"


def save(results: Sequence[Result], machine: dict[str, Any]) -> None:
    """One file per row, so that measuring one row leaves the others' figures alone."""
    RESULTS.mkdir(exist_ok=True)
    for row in dict.fromkeys(one.row for one in results):
        mine = [one for one in results if one.row == row]
        data = {
            "measured_at": datetime.now(UTC).isoformat(timespec="seconds"),
            "machine": machine,
            "results": [_plain(one) for one in mine],
        }
        (RESULTS / f"{row}.json").write_text(json.dumps(data, indent=2) + "\n", encoding="utf-8")
        packages = ", ".join(f"{name} {version}" for name, version in machine["packages"].items())
        about = f"{machine['cpu']}, {machine['cores']} cores, {machine['system']}, Python {machine['python']}, {packages}."
        runs = len(next(iter(mine[0].figures.values())))
        text = f"# {row}\n\nMedians of {runs} runs in turn on {about}\n\n{table(mine)}\n"
        (RESULTS / f"{row}.md").write_text(text, encoding="utf-8")


def _plain(one: Result) -> dict[str, Any]:
    return {
        "case": one.case,
        "unit": one.unit,
        "ratio": round(one.ratio, 3),
        "required": one.required,
        "is_most": one.is_most,
        "medians": {name: round(one.median(name), 3) for name in one.figures},
        "spread": {name: round(one.spread(name), 3) for name in one.figures},
        "figures": {name: [round(figure, 3) for figure in figures] for name, figures in one.figures.items()},
        "notes": one.notes,
    }

"""Writes the kept results into docs/performance.md, between its marks, so that the page says what was measured last."""

from __future__ import annotations

import json
import re
from pathlib import Path

from bench.report import RESULTS

PAGE = Path(__file__).parents[1] / "docs" / "performance.md"
_MARKED = re.compile(r"(<!-- (?P<name>[a-z]+): kept by bench/page.py -->\n).*?(<!-- end -->)", re.DOTALL)


def save() -> None:
    """Leaves the page alone where it is not there (an installed copy has none)."""
    if PAGE.exists():
        PAGE.write_text(fill(PAGE.read_text(encoding="utf-8")), encoding="utf-8")


def fill(page: str) -> str:
    """The page with each marked part made anew of the results; one without results stays as it is."""

    def part(match: re.Match[str]) -> str:
        text = _rows() if match["name"] == "rows" else _body(match["name"])
        return match[0] if text is None else f"{match[1]}\n{text}\n\n{match[3]}"

    return _MARKED.sub(part, page)


def _rows() -> str | None:
    """All rows as one table, and the machine of each."""
    saved = [json.loads(path.read_text("utf-8")) for path in sorted(RESULTS.glob("P*.json"))]
    tables = [path.read_text("utf-8").splitlines() for path in sorted(RESULTS.glob("P*.md"))]
    if not saved:
        return None
    head = next(lines for lines in tables if any(line.startswith("| row ") for line in lines))
    start = next(number for number, line in enumerate(head) if line.startswith("| row "))
    lines = head[start : start + 2]
    for table in tables:
        lines += [line for line in table if line.startswith("| ") and not line.startswith(("| row ", "| --- "))]
    machines = dict.fromkeys(f"{one['machine']['cpu']}, {one['machine']['cores']} cores" for one in saved)
    days = sorted({one["measured_at"][:10] for one in saved})
    return "\n".join([f"Measured {' to '.join(dict.fromkeys((days[0], days[-1])))} on {'; '.join(machines)}.", "", *lines])


def _body(name: str) -> str | None:
    """What a kept page says below its heading."""
    path = RESULTS / f"{name}.md"
    return path.read_text("utf-8").partition("\n")[2].strip() if path.exists() else None

"""The rows' ratios as bars beside what is required of them, as SVG."""

from __future__ import annotations

import json
from html import escape
from typing import Any

from bench.report import RESULTS

_WIDTH, _LEFT, _RIGHT = 900, 400, 60
_ROW, _BAR = 26, 14
_STYLE = (
    "text{font:12px system-ui,sans-serif;fill:#333}.bar{fill:#2a78b8}.short{fill:#c2572b}.mark{stroke:#333;stroke-width:2}"
    "@media(prefers-color-scheme:dark){text{fill:#ddd}.bar{fill:#5aa9e6}.short{fill:#e08a5f}.mark{stroke:#ddd}}"
)


def draw() -> str:
    """Every saved row that has something to reach; a bar is what was reached as a share of it, the line is all of it."""
    cases = [
        case for path in sorted(RESULTS.glob("P*.json")) for case in _cases(json.loads(path.read_text("utf-8")), path.stem)
    ]
    longest = max([share for _, share, _ in cases] + [1.0])
    scale = (_WIDTH - _LEFT - _RIGHT) / longest
    height = _ROW * (len(cases) + 1)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height}" role="img" '
        f'aria-label="What each row reached, as a share of what it must">',
        f"<style>{_STYLE}</style>",
    ]
    for number, (label, share, said) in enumerate(cases):
        top = _ROW * number + 6
        kind = "bar" if share >= 1 else "short"
        parts.append(f'<text x="{_LEFT - 8}" y="{top + 12}" text-anchor="end">{escape(label)}</text>')
        parts.append(f'<rect class="{kind}" x="{_LEFT}" y="{top}" width="{share * scale:.1f}" height="{_BAR}"/>')
        parts.append(f'<text x="{_LEFT + share * scale + 6:.1f}" y="{top + 12}">{escape(said)}</text>')
    line = _LEFT + scale
    parts.append(f'<line class="mark" x1="{line:.1f}" y1="0" x2="{line:.1f}" y2="{height - _ROW}"/>')
    parts.append(f'<text x="{line:.1f}" y="{height - 8}" text-anchor="middle">required</text></svg>')
    return "\n".join(parts) + "\n"


def _cases(saved: dict[str, Any], row: str) -> list[tuple[str, float, str]]:
    found = []
    for case in saved["results"]:
        if case["required"] is None:
            continue
        is_most = bool(case.get("is_most"))
        share = case["required"] / case["ratio"] if is_most else case["ratio"] / case["required"]
        sign = "of at most" if is_most else "of"
        found.append((f"{row} {case['case']}"[:64], share, f"{case['ratio']:.2f} {sign} {case['required']}"))
    return found


def save() -> None:
    (RESULTS / "chart.svg").write_text(draw(), encoding="utf-8")

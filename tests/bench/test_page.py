"""The page about performance says what was measured: its marked parts are made of the kept results."""

from __future__ import annotations

import pytest

from bench import page
from bench.report import RESULTS


def test_the_page_holds_what_is_kept() -> None:
    text = page.PAGE.read_text(encoding="utf-8")
    assert page.fill(text) == text, "write it anew: .venv/bin/python -c 'from bench import page; page.save()'"


@pytest.mark.parametrize("name", ["rows", *(name for name in ("growth", "scale") if (RESULTS / f"{name}.md").exists())])
def test_a_part_is_made_anew_of_its_results_and_the_rest_is_left(name: str) -> None:
    stale = f"before\n<!-- {name}: kept by bench/page.py -->\nstale\n<!-- end -->\nafter\n"
    filled = page.fill(stale)
    assert "stale" not in filled
    assert filled.startswith("before\n")
    assert filled.endswith("<!-- end -->\nafter\n")


def test_every_row_that_was_kept_is_on_the_page() -> None:
    text = page.PAGE.read_text(encoding="utf-8")
    for path in RESULTS.glob("P*.md"):
        rows = [line for line in path.read_text(encoding="utf-8").splitlines() if line.startswith(f"| {path.stem} ")]
        assert rows
        assert all(row in text for row in rows), path.stem

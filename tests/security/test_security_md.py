"""SECURITY.md stays true: every rule and every case has a row, every test that it names exists."""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path

import pytest

TESTS = Path(__file__).resolve().parents[1]
PAGE = (TESTS.parent / "SECURITY.md").read_text(encoding="utf-8")
NAMED = re.findall(r"`([a-z_/0-9]+\.py)::(test_\w+)`", PAGE)
CASES = (
    *("CVE-2022-36885", "CVE-2022-43411", "CVE-2022-43412", "GHSA-f67f-2j6r-m4c9", "CVE-2022-24912", "CVE-2024-40634"),
    *("CVE-2025-59531", "CVE-2026-42294", "CVE-2025-27616", "GHSA-qxwc-wchr-5h29", "coolify 4186", "go-playground 209"),
    *("github-plugin 242", "246", "gitlab 19367", "587536"),
)
RULES = 15


@cache
def functions_of(file: str) -> set[str]:
    tree = ast.parse((TESTS / file).read_text(encoding="utf-8"))
    return {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}


def rows(heading: str) -> list[list[str]]:
    """The cells of the table below a heading, without its own head."""
    part = PAGE.partition(f"## {heading}")[2].partition("\n## ")[0]
    lines = [line for line in part.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[2:]]


@pytest.mark.parametrize(("file", "name"), sorted(set(NAMED)))
def test_each_test_that_is_named_exists(file: str, name: str) -> None:
    assert name in functions_of(file)


@pytest.mark.parametrize("heading", ["The rules", "The break-ins", "The rest"])
def test_each_row_names_a_test(heading: str) -> None:
    found = rows(heading)
    assert found
    assert [row for row in found if "::test_" not in row[-1]] == []


def test_each_rule_has_a_row() -> None:
    assert len(rows("The rules")) == RULES


@pytest.mark.parametrize("case", CASES)
def test_each_case_has_a_row_with_a_test_of_its_name(case: str) -> None:
    (row,) = [row for row in rows("The break-ins") if re.search(rf"\b{case}\b", row[0])]
    assert case.lower().replace("-", "_").replace(" ", "_") in row[-1]


def test_each_break_in_that_is_tried_is_listed() -> None:
    listed = {name for file, name in NAMED if file == "security/test_break_ins.py"}
    assert {name for name in functions_of("security/test_break_ins.py") if name.startswith("test_")} == listed


def test_the_words_of_the_page_name_no_address_to_report_to() -> None:
    assert not re.search(r"[\w.+-]+@[\w-]+\.\w+", PAGE)

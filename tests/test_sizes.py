"""No file and no function of the product grows beyond what one reads at once. A migration is as long as its tables."""

from __future__ import annotations

import ast
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
MOST_LINES, MOST_OF_A_FUNCTION = 300, 60
FILES = [
    path
    for package in ("webhook", "worker", "shared", "releases")
    for path in (ROOT / package).rglob("*.py")
    if "migrations" not in path.parts
]


def test_no_file_is_too_long() -> None:
    assert len(FILES) > 100
    assert [f"{path.relative_to(ROOT)}" for path in FILES if len(path.read_text("utf-8").splitlines()) > MOST_LINES] == []


def test_no_function_is_too_long() -> None:
    assert [
        f"{path.relative_to(ROOT)}:{node.lineno} {node.name}"
        for path in FILES
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))
        if (node.end_lineno or node.lineno) - node.lineno >= MOST_OF_A_FUNCTION
    ] == []

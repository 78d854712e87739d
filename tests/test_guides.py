"""The guides stay true: hooks are the checks of `make lint`, and every command that CONTRIBUTING.md names exists."""

from __future__ import annotations

import ast
import configparser
import re
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
MAKEFILE = (ROOT / "Makefile").read_text(encoding="utf-8")


def recipe(target: str) -> list[str]:
    found = re.search(rf"^{target}:.*\n((?:\t.*\n)+)", MAKEFILE, re.MULTILINE)
    assert found, target
    return [line.strip("\t@").replace("$(BIN)", ".venv/bin") for line in found[1].splitlines()]


def test_the_hooks_before_a_commit_are_the_checks_of_make_lint() -> None:
    text = (ROOT / ".pre-commit-config.yaml").read_text(encoding="utf-8")
    assert re.findall(r"^ +entry: (.+)$", text, re.MULTILINE) == recipe("lint")
    assert re.findall(r"- repo: (.+)$", text, re.MULTILINE) == ["local"]


def test_editors_know_the_line_length_of_the_linter() -> None:
    reader = configparser.ConfigParser()
    reader.read_string("[top]\n" + (ROOT / ".editorconfig").read_text(encoding="utf-8"))
    length = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["ruff"]["line-length"]
    assert reader.getint("*.py", "max_line_length") == length


def test_each_make_target_of_the_guides_exists() -> None:
    pages = [ROOT / "CONTRIBUTING.md", *(ROOT / "docs").glob("*.md")]
    named = {target for page in pages for target in re.findall(r"`make ([a-z]+)`", page.read_text(encoding="utf-8"))}
    assert {"lint", "test", "run"} <= named
    assert [target for target in sorted(named) if not re.search(rf"^{target}:", MAKEFILE, re.MULTILINE)] == []


def test_no_test_module_imports_another() -> None:
    """A helper that two test modules need stands in a module of its own, so that a rename in one does not break six others."""
    importing = []
    for path in sorted((ROOT / "tests").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names = [alias.name for alias in node.names] if isinstance(node, (ast.Import, ast.ImportFrom)) else []
            module = f"{node.module}." if isinstance(node, ast.ImportFrom) else ""
            importing += [f"{path.name}: {module}{name}" for name in names if re.search(r"tests\.(\w+\.)*test_", module + name)]
    assert importing == []

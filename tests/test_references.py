"""Each path, section, decision and anchor that code comments, docstrings and docs name exists, so nobody is sent astray."""

from __future__ import annotations

import ast
import io
import re
import tokenize
from collections.abc import Callable, Iterable, Iterator
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
FOLDERS = ("shared", "webhook", "worker", "releases", "bench", "tests", "docs", ".ci")
CODE = sorted(path for folder in FOLDERS for path in (ROOT / folder).rglob("*.py"))
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
HISTORY = "CHANGELOG.md"  # says what was, so its paths may be gone

_ROOTED = re.compile(rf"(?<![\w/.<-])(?:{'|'.join(map(re.escape, FOLDERS))})/[\w./*<>-]*")
_NAMED = re.compile(r"`([\w./*-]+\.(?:py|md|toml|html|yml))(?:::\w+)?`")
_LINK = re.compile(r"\]\(([^)\s]+)\)")
_CONTRACT_SECTION = re.compile(
    r"[Cc]ontract(?:'s|,)?\s+sections?\s+(\d+(?:\.\d+)?)|[Cc]ontract\S*\s+\w+\s+\(section\s+(\d+(?:\.\d+)?)\)"
)
_ROW = re.compile(r"rows?\s+([\d.]+\d)(?:\s+and\s+([\d.]*\d))?\s+of\s+(docs/[\w-]+\.md)")
_BARE_NUMBER = re.compile(r"docs/[\w-]+\.md\s+\d")
_DECISION = re.compile(r"\b[Dd]ecision\s+(\d+)\b|docs/decisions/(\d{4})\b")
_ELSEWHERE = {"tagship.toml", "OTHER.toml", "env.py"}  # a user's files; Alembic's name for its own
_EXAMPLE = re.compile(r"gitea|<|NNNN|/findings/")  # a provider that the guides add, placeholders, what a run writes


@cache
def prose(path: Path) -> str:
    """A page's text; of a module its comments and docstrings."""
    text = path.read_text(encoding="utf-8")
    return text if path.suffix == ".md" else "\n".join(_said(text))


def _said(source: str) -> Iterator[str]:
    if "#" in source:
        for token in tokenize.generate_tokens(io.StringIO(source).readline):
            if token.type == tokenize.COMMENT:
                yield token.string
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)):
            yield ast.get_docstring(node, clean=False) or ""


def astray(paths: Iterable[Path], find: Callable[[Path], Iterable[object]]) -> list[str]:
    """`file: what it names`, for each reference that `find` could not follow."""
    return [f"{path.relative_to(ROOT)}: {found}" for path in paths for found in find(path)]


def is_there(name: str, beside: Path) -> bool:
    """Whether the tree has it: from the root, from the file that names it, or from a folder above that one."""
    if _EXAMPLE.search(name):
        return True
    bases = [ROOT, ROOT / "tests", *(parent for parent in beside.parents if parent.is_relative_to(ROOT))]
    if beside.suffix == ".md" and "/" not in name:
        return any((ROOT / name).exists() or any((ROOT / folder).rglob(name)) for folder in FOLDERS)
    return any(any(base.glob(name)) if "*" in name else (base / name).exists() for base in bases)


@cache
def anchors_of(page: Path) -> set[str]:
    """As GitHub makes them of headings, and those that are set by hand."""
    text = page.read_text(encoding="utf-8")
    headings = re.findall(r"^#+\s+(.+)$", text, re.MULTILINE)
    made = {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}
    return made | set(re.findall(r'<a id="([^"]+)">', text))


def test_each_path_that_is_named_exists() -> None:
    def missing(path: Path) -> Iterator[str]:
        text = prose(path)
        rooted = {name.rstrip(".-") for name in _ROOTED.findall(text)}
        named = {name for name in rooted if not re.fullmatch(r"docs/decisions/\d{4}|\w+/s", name)}  # /s: a second
        named |= set(_NAMED.findall(text)) - _ELSEWHERE
        return (name for name in sorted(named) if not is_there(name, path))

    assert astray([*CODE, *(page for page in PAGES if page.name != HISTORY)], missing) == []


def test_each_link_of_a_page_leads_somewhere() -> None:
    def broken(path: Path) -> Iterator[str]:
        text = re.sub(r"```.*?```|`[^`\n]*`", "", prose(path), flags=re.DOTALL)
        for target in _LINK.findall(text):
            name, _, anchor = target.partition("#")
            page = (path.parent / name).resolve() if name else path
            is_ours = not target.startswith(("https://", "http://"))
            if is_ours and (not page.exists() or (anchor and anchor not in anchors_of(page))):
                yield target

    assert astray(PAGES, broken) == []


def test_each_section_of_the_contract_that_is_named_exists() -> None:
    contract = (ROOT / "docs" / "contract.md").read_text(encoding="utf-8")
    sections = set(re.findall(r"^##+ (\d+(?:\.\d+)?)", contract, re.MULTILINE))

    def missing(path: Path) -> set[str]:
        return {number for pair in _CONTRACT_SECTION.findall(prose(path)) for number in pair if number} - sections

    assert astray([*CODE, *PAGES], missing) == []


def test_each_numbered_row_of_a_page_exists() -> None:
    def missing(path: Path) -> Iterator[str]:
        for first, second, page in _ROW.findall(prose(path)):
            rows = re.findall(r"^\| \**(\d[\d.]*)\b", (ROOT / page).read_text(encoding="utf-8"), re.MULTILINE)
            yield from {number for number in (first, second) if number} - set(rows)

    assert astray([*CODE, *PAGES], missing) == []


def test_no_page_is_followed_by_a_bare_number() -> None:
    """Row 1.4 of a page can be looked up and checked, a number after the page cannot."""
    assert astray([*CODE, *PAGES], lambda path: _BARE_NUMBER.findall(prose(path))) == []


def test_each_decision_that_is_named_exists() -> None:
    written = {int(page.name[:4]) for page in (ROOT / "docs" / "decisions").glob("[0-9]*.md")}

    def missing(path: Path) -> set[int]:
        return {int(number) for pair in _DECISION.findall(prose(path)) for number in pair if number} - written

    assert astray([*CODE, *PAGES], missing) == []

"""A page as what a reader of it meets: its elements and their nesting."""

from __future__ import annotations

from html.parser import HTMLParser

VOID = ("meta", "link", "input", "br", "line", "rect", "circle", "polyline")


class Outline(HTMLParser):
    """Tags left open, what could run, what is loaded from where, headings in order, and controls without a label."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.suspects: list[str] = []
        self.loads: list[str] = []
        self.headings: list[int] = []
        self.labels: set[str] = set()
        self.controls: list[dict[str, str | None]] = []
        self.svgs: list[dict[str, str | None]] = []
        self.captions = self.tables = 0
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        if tag not in VOID:
            self.open.append(tag)
        for name, value in attrs:
            if name.startswith("on") or name == "style" or (value or "").lower().startswith("javascript:"):
                self.suspects.append(f"{tag} {name}")
            if "<bdi>" in (value or ""):
                self.suspects.append(f"an element in {name} of {tag}")
            if name == "src" or (tag == "link" and name == "href"):
                self.loads.append(value or "")
        if tag in ("style", "iframe", "img") or (tag == "script" and not given.get("src")):
            self.suspects.append(tag)
        if tag in ("h1", "h2", "h3"):
            self.headings.append(int(tag[1]))
        if tag == "label":
            self.labels.add(given.get("for") or "")
        if tag in ("input", "select", "textarea") and given.get("type") != "hidden":
            self.controls.append(given)
        if tag == "svg":
            self.svgs.append(given)
        self.tables += tag == "table"
        self.captions += tag == "caption"

    def handle_endtag(self, tag: str) -> None:
        if tag not in VOID:
            assert self.open.pop() == tag, tag

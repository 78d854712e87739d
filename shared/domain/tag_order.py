"""How releases of one line stand to each other: a tag's name taken apart, and which version is lower. Pure.

The rules are those of docs/decisions/0008, "Reading a name".
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

from shared.domain import tag_words as words


class Kind(StrEnum):
    FINAL = "final"
    OPEN = "open"  # a suffix whose name does not say whether it comes before or after its number: `1.0.8-1`, `3.0a`
    PRE = "pre"
    FLOATING = "floating"  # moves on purpose: `latest`, `2.3.x`
    NONE = "none"  # names no version: `before-refactor`


class Line(NamedTuple):
    """The tags that follow one another: those of one component, dates without one, or names alike that hold no version."""

    sort: str  # "version", "date" or "none"
    component: str


HASH = "#"  # the token that stands for a commit's hash
Token = int | str


@dataclass(frozen=True, slots=True, kw_only=True)
class TagName:
    """A tag's name taken apart. `numbers` are without trailing zeros; `suffix` and `build` are words and numbers.

    `is_after`: the suffix comes after its number (`SP1`, `hotfix`). `editions` tell variants of one release apart.
    """

    name: str
    line: Line
    kind: Kind
    numbers: tuple[int, ...] = ()
    suffix: tuple[Token, ...] = ()
    build: tuple[Token, ...] = ()
    is_after: bool = False
    editions: frozenset[str] = frozenset()
    silent: frozenset[str] = words.SILENT  # the words of a suffix that say nothing

    @property
    def component(self) -> str:
        return self.line.component

    @property
    def is_version(self) -> bool:
        return self.kind in (Kind.FINAL, Kind.OPEN, Kind.PRE)

    @property
    def order(self) -> tuple[object, ...]:
        """Sorts the versions of one line from the lowest to the highest. What `is_lower` does not order is near together."""
        return (self.numbers, self._rank, self._suffix_order, self._build_order, self.name)

    @property
    def _rank(self) -> int:
        if self.kind is Kind.PRE:
            return 0
        return 2 if self.is_after or self.kind is Kind.OPEN else 1

    @property
    def _suffix_order(self) -> tuple[tuple[int, int, int, str], ...]:
        told = (token for token in self.suffix if token not in self.silent and token not in words.EDITIONS)
        return tuple(_token_order(token, counts_letters=self.kind is not Kind.PRE) for token in told)

    @property
    def _build_order(self) -> tuple[int, ...]:
        return tuple(token for token in self.build if isinstance(token, int))

    def is_lower(self, other: TagName) -> bool:
        """Whether this version comes before `other` of the same line. Variants of one number are not ordered
        (`33.0-jre`, `33.0-android`), unless one of them is a pre-release."""
        if not (self.is_version and other.is_version):
            return False
        if self.numbers != other.numbers:
            return self.numbers < other.numbers
        if Kind.PRE not in (self.kind, other.kind):
            if self.editions != other.editions:
                return False
            if self._rank == other._rank and _words(self._suffix_order) != _words(other._suffix_order):
                return False
        mine = (self._rank, self._suffix_order, self._build_order)
        return mine < (other._rank, other._suffix_order, other._build_order)


def _token_order(token: Token, *, counts_letters: bool) -> tuple[int, int, int, str]:
    """Numbers before words; words by what they mean, unknown ones by their letters."""
    if isinstance(token, int):
        return (0, 0, token, "")
    rank = words.OTHERS if counts_letters and len(token) == 1 else words.ORDER.get(token, words.OTHERS)
    return (1, rank, 0, token if rank == words.OTHERS else "")


def _words(order: Sequence[tuple[int, int, int, str]]) -> list[tuple[int, str]]:
    """The words of a suffix. Letters that stand alone count upwards as numbers do: `1.0.2a`, `1.0.2b`."""
    return [(rank, "" if len(text) == 1 else text) for is_word, rank, _, text in order if is_word]


def newest_of_each_line(tags: Iterable[TagName], limit: int | None) -> list[TagName]:
    """The `limit` highest versions of each line, or all, the lowest first."""
    lines: dict[Line, list[TagName]] = {}
    for tag in sorted(tags, key=lambda tag: tag.order):
        lines.setdefault(tag.line, []).append(tag)
    chosen = [tag for line in lines.values() for tag in line[-limit if limit else None :]]
    return sorted(chosen, key=lambda tag: tag.order)

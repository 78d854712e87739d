"""How tags of one component stand to each other: which is a pre-release, which version is higher. Pure.

Versions are read leniently, since tags are what people write: semver, calendar versions, four parts, `1.2rc1`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from shared.domain.versions import parse_tag

# Names that float: a release never counts from them.
FLOATING = frozenset({"latest", "stable", "nightly", "edge", "current", "head", "tip", "canary", "snapshot", "dev", "lts"})

_VERSION = re.compile(r"(?P<numbers>[0-9]+(?:\.[0-9]+)*)(?P<rest>.*)", re.DOTALL)
_FINAL_REST = re.compile(r"[.-]?(?:post|final|ga|release)[^a-z]*", re.IGNORECASE)
_DAY = re.compile(r"((?:19|20)[0-9]{2})[-_]([0-9]{1,2})[-_]([0-9]{1,2})")


@dataclass(frozen=True, slots=True)
class TagVersion:
    """A tag's name taken apart. `order` sorts tags of one component from the lowest version to the highest."""

    name: str
    component: str | None
    is_prerelease: bool
    order: tuple[object, ...]


def read_tag(name: str) -> TagVersion:
    component, version = parse_tag(name)
    match = _VERSION.match(_DAY.sub(r"\1.\2.\3", version))
    if match is None:
        return TagVersion(name, component, False, ((), 1, _natural(version), ()))
    rest, _, build = match["rest"].partition("+")
    is_prerelease = bool(rest) and _FINAL_REST.fullmatch(rest) is None
    numbers = [int(part[:18]) for part in match["numbers"].split(".")]
    while len(numbers) > 1 and numbers[-1] == 0:
        numbers.pop()  # 1.2 and 1.2.0 are one version
    return TagVersion(
        name, component, is_prerelease, (tuple(numbers), 0 if is_prerelease else 1, _natural(rest), _natural(build))
    )


def is_floating(name: str) -> bool:
    """True for names that move on purpose, with or without a component: `latest`, `api@stable`."""
    return re.split(r"[@/]", name)[-1].lower() in FLOATING


def _natural(text: str) -> tuple[tuple[int, int, str], ...]:
    """Digits compare as numbers and sort before letters, as semver's pre-release parts do."""
    parts = re.findall(r"[0-9]+|[A-Za-z]+", text.lower())
    return tuple((0, int(part[:18]), "") if part.isdigit() else (1, 0, part) for part in parts)


def may_precede(candidate: TagVersion, this: TagVersion, *, counts_prereleases: bool = False) -> bool:
    """Whether a release of `this` may count from `candidate` at all: same component, no floating name, and a final
    release counts from a final one only (unless the rules say otherwise), a pre-release from either."""
    return (
        candidate.component == this.component
        and candidate.name != this.name
        and not is_floating(candidate.name)
        and (counts_prereleases or this.is_prerelease or not candidate.is_prerelease)
    )


def by_likelihood(candidates: list[TagVersion], this: TagVersion) -> list[TagVersion]:
    """Lower versions first, the highest of them leading; then the higher ones, the lowest leading."""
    lower = sorted((tag for tag in candidates if tag.order < this.order), key=lambda tag: tag.order, reverse=True)
    higher = sorted((tag for tag in candidates if tag.order >= this.order), key=lambda tag: tag.order)
    return lower + higher

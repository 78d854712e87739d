"""What a version says about itself: package, numbers, pre-release, build, or a bare hash. Pure.

Rules: sentry-release-parser, as described in docs/releases-endpoint.md.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

_HASH_LENGTHS = (12, 16, 20, 32, 40, 64)
_LARGEST = 2**63 - 1
_LARGEST_SHOWN = 2**64 - 1
_HEX = re.compile(r"[0-9a-fA-F]+")
_VERSION = re.compile(
    r"(?P<numbers>[0-9]+(?:\.[0-9]+){0,3})"
    r"(?:-(?P<dashed>[0-9A-Za-z.-]+)|(?P<direct>[a-z][0-9A-Za-z.-]*))?"
    r"(?:\+(?P<build>[0-9A-Za-z.-]+))?"
)
_REFUSED_CHARACTERS = re.compile(r"[\r\n\f\t/\\]")


@dataclass(frozen=True, slots=True, kw_only=True)
class Version:
    """A release name taken apart; `numbers` is empty when it is no numbered version."""

    raw: str  # all after the package
    whole: str
    package: str | None
    build_hash: str | None = None
    numbers: tuple[int, ...] = ()
    components: int = 0
    pre: str | None = None
    build: str | None = None


def is_allowed(version: str) -> bool:
    """Whether a release may be called this (sentry: is_valid_version)."""
    trimmed = version.strip()
    if not trimmed or trimmed in (".", "..") or trimmed.lower() == "latest":
        return False
    return len(version) <= 200 and _REFUSED_CHARACTERS.search(version) is None


def parse_version(padded: str) -> Version:
    whole = padded.strip()
    package, raw = _split(whole)
    if package is None:
        return Version(raw=raw, whole=whole, package=None, build_hash=raw if _is_hash(raw) else None)
    if _is_hash(raw):
        return Version(raw=raw, whole=whole, package=package, build_hash=raw)
    match = _VERSION.fullmatch(raw)
    if match is None or _is_lone_number_with_letter(match):
        return Version(raw=raw, whole=whole, package=package)
    numbers = [int(part) for part in match["numbers"].split(".")]
    return Version(
        raw=raw,
        whole=whole,
        package=package,
        build_hash=match["build"] if match["build"] and _is_hash(match["build"]) else None,
        numbers=tuple(numbers + [0] * (4 - len(numbers))),
        components=len(numbers),
        pre=match["dashed"] or match["direct"],
        build=match["build"],
    )


def _split(whole: str) -> tuple[str | None, str]:
    at = whole.find("@", 1)  # a leading @ belongs to the package: @scope/name
    if at < 0 or at == len(whole) - 1:
        return None, whole
    return whole[:at], whole[at + 1 :]


def _is_hash(text: str) -> bool:
    return len(text) in _HASH_LENGTHS and _HEX.fullmatch(text) is not None


def _is_lone_number_with_letter(match: re.Match[str]) -> bool:
    return "." not in match["numbers"] and match["direct"] is not None


def _describe(version: Version) -> str:
    if version.build_hash is not None and not version.numbers:
        return version.build_hash[:12]
    if not version.numbers:
        return version.whole
    text = version.raw.split("+", 1)[0]
    if version.build is None:
        return text
    return f"{text} ({version.build[:12] if _is_hash(version.build) else version.build})"


def render_version_info(whole: str) -> dict[str, object] | None:
    """The answer's `versionInfo`; None for a version that the parser does not take. A number beyond 64 bits shows as 0."""
    if "\v" in whole.strip():
        return None
    version = parse_version(whole)
    shown: dict[str, object] = {"raw": version.raw}
    if version.numbers:
        major, minor, patch = (number if number <= _LARGEST_SHOWN else 0 for number in version.numbers[:3])
        shown |= {"major": major, "minor": minor, "patch": patch}
        shown |= {"pre": version.pre, "buildCode": version.build, "components": version.components}
    return {
        "package": version.package,
        "version": shown,
        "description": _describe(version),
        "buildHash": version.build_hash,
    }


def sort_columns(whole: str) -> dict[str, object]:
    """What `releases` stores to sort and filter by; numbers beyond 64 bits leave all of them empty."""
    version = parse_version(whole)
    if not version.numbers or max(version.numbers) > _LARGEST:
        return {"package": version.package}
    major, minor, patch, revision = version.numbers
    build = version.build
    is_number = build is not None and build.isascii() and build.isdigit() and int(build) <= _LARGEST
    return {
        "package": version.package,
        "major": major,
        "minor": minor,
        "patch": patch,
        "revision": revision,
        "prerelease": version.pre or "",
        "build_code": build,
        "build_number": int(build) if is_number and build is not None else None,
    }

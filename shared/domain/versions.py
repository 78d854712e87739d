"""What a release is called: tag parts, version templates, and the names that Sentry refuses. Pure.

Refused versions: Sentry's own check (docs: Releases > Naming; the embedded endpoint's `releases/validation/` agrees).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache

from shared.domain.push import Push

MAX_VERSION = 200
_SHORT_SHA = 7  # as git abbreviates it
PLACEHOLDERS = ("tag", "branch", "sha", "repo", "name", "component", "version")

_PLACEHOLDER = re.compile(r"\{([a-z_]*)(?::([0-9]{1,2}))?\}")
_NOT_ALLOWED = re.compile(r"[/\\]+")
# No tag that people make holds one, and whatever it were mapped to, two tags would have one version. Sentry cuts spaces off.
_UNNAMEABLE = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]|^\s|\s$")
# `pkg@1.2.3`, `pkg/v1.2.3`, `pkg-v1.2.3`, `v1.2.3`, `release-2024.10.01`: the version begins at the first such boundary.
# After a hyphen only when what stands before it is no version itself: `v1.0.0-0.3.7` is one pre-release, not `0.3.7`.
_TAG = re.compile(
    r"(?:(?P<component>.+?[@/]|(?!v?[0-9]+(?:[.][0-9]+|[-_][0-9])).+?(?:-(?=v)|[-_](?=[0-9]+\.))))?"
    r"v?(?P<version>[0-9]+(?:[.][0-9]+)*(?:[-+._a-zA-Z0-9]*))"
)


@dataclass(frozen=True, slots=True)
class Refused:
    """A version that cannot be sent, and why, in one sentence."""

    detail: str


def parse_tag(name: str) -> tuple[str | None, str]:
    """(component, version) of a tag: ('api', '1.2.0') of `api@1.2.0`, (None, '1.2.3') of `v1.2.3`, (None, name) else."""
    match = _TAG.fullmatch(name)
    if match is None:
        return None, name
    component = match["component"]
    return (component[:-1] if component else None), match["version"]


def check_template(template: str) -> str | None:
    """One sentence of fault about a version template, or None."""
    for name, length in _PLACEHOLDER.findall(template):
        if name not in PLACEHOLDERS:
            return f"knows no placeholder {{{name}}}: use {', '.join(f'{{{known}}}' for known in PLACEHOLDERS)}"
        if length and (name != "sha" or not 4 <= int(length) <= 64):
            return "a length goes with {sha} only and is from 4 to 64, such as {sha:12}"
    rest = _PLACEHOLDER.sub("", template)
    if "{" in rest or "}" in rest:
        return "holds a brace that closes no placeholder"
    if not template.strip():
        return "is empty"
    if _UNNAMEABLE.search(template.strip(" ")):
        return "holds a control character, or begins or ends with a space that is none of ASCII"
    return None


def render_version(template: str, push: Push) -> str | Refused:
    """The version of this push's release, with characters that a version may not hold replaced by `-`, or why it has none."""
    parts: list[str] = []
    for literal, name, length in _pieces(template):
        parts.append(literal)
        if name:
            if (value := _value(name, push)) is None:
                return Refused(f"{push.ref.full} has no {{{name}}} for the version {template!r}")
            parts.append(value[:length])
    return map_version("".join(parts))


@lru_cache(maxsize=1_000)
def _pieces(template: str) -> tuple[tuple[str, str, int | None], ...]:
    """(text, the placeholder behind it or "", how much of its value or None for all), in order."""
    texts = _PLACEHOLDER.split(template)  # text, name, length, text, name, length, ..., text
    pieces = [(text, name, int(length) if length else None) for text, name, length in zip(*[iter(texts)] * 3, strict=False)]
    return (*pieces, (texts[-1], "", None))


def _value(name: str, push: Push) -> str | None:
    kind = push.ref.kind
    if name == "sha":
        return push.sha
    if name in ("tag", "branch"):
        return push.ref.name if kind == name else None
    if name == "repo":
        return push.repository.full_name
    if name == "name":
        return push.repository.full_name.rpartition("/")[2]
    if name in ("component", "version"):
        return parse_tag(push.ref.name)[name == "version"] if kind == "tag" else None
    return None


def map_version(wanted: str) -> str | Refused:
    """Sentry's rules on version names: what can be mapped is mapped, what stays refused is Refused."""
    version = _NOT_ALLOWED.sub("-", wanted.strip(" "))
    if (found := _UNNAMEABLE.search(version)) is not None:
        return Refused(f"the version {version[:MAX_VERSION]!r} holds {found[0]!a}, so it looks the same as another version")
    if not version:
        return Refused("the version is empty")
    if version in (".", "..") or version.lower() == "latest":
        return Refused(f"Sentry refuses a release named {version!r}")
    if len(version) > MAX_VERSION:
        return Refused(f"the version has {len(version)} characters; Sentry takes {MAX_VERSION} at most")
    return version


def names_commit(version: str, sha: str) -> bool:
    """Whether the version is made of the commit's id, so that all refs on the commit rightly have one release."""
    return sha[:_SHORT_SHA] in version

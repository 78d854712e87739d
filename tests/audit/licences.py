"""The licence of every pinned dependency, as its own metadata says it, held to a list of those that we accept."""

from __future__ import annotations

import importlib.metadata
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ALLOWED = {
    "MIT",
    "BSD-2-Clause",
    "BSD-3-Clause",
    "BSD",
    "Apache-2.0",
    "PSF-2.0",
    "MPL-2.0",
    "ISC",
    "0BSD",
    "LGPL-3.0-only",
    "Unlicense",
    "Zlib",
}
# Programs that run beside ours during tests and are no part of what is run in production.
ALLOWED_TOOLS = {"sentry-cli": "FSL-1.1-MIT"}
# Whose metadata names none: read in the licence file that comes with them.
READ_BY_HAND = {"axe-playwright-python": "MIT"}
RUNTIME = ("requirements.txt", "requirements-embedded.txt")

_SPELLINGS = {
    "mit license": "MIT",
    "dfsg approved": "MIT",  # always beside another one, which then decides
    "mit style": "MIT",
    "bsd license": "BSD",
    "bsd": "BSD",
    "apache software license": "Apache-2.0",
    "apache 2.0": "Apache-2.0",
    "mozilla public license 2.0 (mpl 2.0)": "MPL-2.0",
    "python software foundation license": "PSF-2.0",
    "isc license (iscl)": "ISC",
}


@dataclass(frozen=True, slots=True)
class Found:
    """`licence` None: not installed on this machine (made for another system). `fault`: why it is not accepted."""

    name: str
    version: str
    licence: str | None
    is_runtime: bool
    fault: str | None = None


def pinned(file: Path) -> dict[str, str]:
    """{name: version} of a lock file."""
    return dict(re.findall(r"^([A-Za-z0-9_.-]+)==([^\s;\\]+)", file.read_text(encoding="utf-8"), re.MULTILINE))


def unhashed(file: Path) -> list[str]:
    """Lines of a lock file that pin without a hash."""
    entries = re.split(r"\n(?=[A-Za-z0-9])", file.read_text(encoding="utf-8"))
    return [
        entry.split("==")[0] for entry in entries if re.match(r"[A-Za-z0-9_.-]+==", entry) and "--hash=sha256:" not in entry
    ]


def read(files: Iterable[Path]) -> list[Found]:
    """One entry a dependency, by name."""
    found: dict[str, Found] = {}
    for file in files:
        for name, version in pinned(file).items():
            is_runtime = file.name in RUNTIME or (name in found and found[name].is_runtime)
            found[name] = judge(name, version, licence_of(name), is_runtime=is_runtime)
    return [found[name] for name in sorted(found)]


def licence_of(name: str) -> str | None:
    """An SPDX expression, or what comes nearest to it; "" when the package says nothing."""
    try:
        metadata: Any = importlib.metadata.metadata(name)
    except importlib.metadata.PackageNotFoundError:
        return None
    if expression := metadata.get("License-Expression"):
        return expression
    classifiers = [text.rpartition(" :: ")[2] for text in metadata.get_all("Classifier") or [] if text.startswith("License ::")]
    words = classifiers or [str(metadata.get("License") or "").split("\n")[0][:60]]
    if words == [""]:
        return READ_BY_HAND.get(name, "")
    return " OR ".join(dict.fromkeys(_SPELLINGS.get(word.strip().lower(), word.strip()) for word in words))


def judge(name: str, version: str, licence: str | None, *, is_runtime: bool) -> Found:
    fault = None
    if licence == "":
        fault = "says no licence"
    elif licence is not None and not is_allowed(licence) and (is_runtime or ALLOWED_TOOLS.get(name) != licence):
        fault = "is not on the list"
    return Found(name, version, licence, is_runtime, fault)


def is_allowed(expression: str) -> bool:
    """Of alternatives one must be allowed, of what holds together all."""
    choices = expression.replace("(", " ").replace(")", " ").split(" OR ")
    return any(all(part.strip() in ALLOWED for part in choice.split(" AND ")) for choice in choices)

"""Prints a software bill of materials (CycloneDX 1.6, JSON) of lock files: `python deploy/sbom.py requirements.txt ...`.

In one environment the same lock files give the same document, byte for byte: no time, no random number. Each package has its
version, its package URL and, as properties, the SHA-256 of every file that the lock accepts for it. Licences are those that
the package itself names, where it is installed.
"""

from __future__ import annotations

import json
import re
import sys
import uuid
from collections.abc import Iterable
from importlib import metadata
from pathlib import Path
from typing import Any

_PACKAGE = re.compile(r"^([A-Za-z0-9][A-Za-z0-9._-]*)==([^\s;\\]+)\s*(?:;\s*([^\\]*))?")
_HASH = re.compile(r"--hash=sha256:([0-9a-f]{64})")
_LONGEST = 100  # of a licence's name: some packages put the whole text there
_NAMESPACE = uuid.UUID("6b8d0d5e-4a53-5c3a-9d0b-0b0a3a4f4f5e")


def main(paths: Iterable[str]) -> None:
    """Print the document of these lock files."""
    json.dump(describe([Path(path).read_text(encoding="utf-8") for path in paths]), sys.stdout, indent=1, sort_keys=True)
    sys.stdout.write("\n")


def describe(locks: Iterable[str]) -> dict[str, Any]:
    """The document of lock files with these texts. Raises ValueError for a line that is no pinned package with hashes."""
    components = sorted((component for lock in locks for component in _components(lock)), key=lambda one: one["purl"])
    if not components:
        raise ValueError("the lock files name no package")
    identity = json.dumps(components, sort_keys=True)
    return {
        "$schema": "http://cyclonedx.org/schema/bom-1.6.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "serialNumber": f"urn:uuid:{uuid.uuid5(_NAMESPACE, identity)}",
        "version": 1,
        "metadata": {"component": {"type": "application", "name": "tagship", "bom-ref": "tagship"}},
        "components": components,
        "dependencies": [{"ref": "tagship", "dependsOn": [component["bom-ref"] for component in components]}],
    }


def _components(lock: str) -> Iterable[dict[str, Any]]:
    joined = lock.replace("\\\n", " ")
    for line in joined.splitlines():
        if not (text := line.strip()) or text.startswith("#"):
            continue
        found, hashes = _PACKAGE.match(text), _HASH.findall(text)
        if found is None or not hashes:
            raise ValueError(f"not a pinned package with hashes: {text[:80]}")
        yield _component(found[1], found[2], (found[3] or "").partition("--hash")[0].strip(), hashes)


def _component(name: str, version: str, marker: str, hashes: list[str]) -> dict[str, Any]:
    purl = f"pkg:pypi/{re.sub(r'[-_.]+', '-', name).lower()}@{version}"
    properties = [{"name": "tagship:lock:sha256", "value": value} for value in sorted(hashes)]
    if marker:
        properties.append({"name": "tagship:lock:marker", "value": marker})
    component = {"type": "library", "bom-ref": purl, "name": name, "version": version, "purl": purl, "properties": properties}
    return component | ({"licenses": [{"license": {"name": licence}}]} if (licence := _licence(name, version)) else {})


def _licence(name: str, version: str) -> str | None:
    """What the installed package of this version says; one line, or nothing."""
    try:
        found = metadata.metadata(name)
    except metadata.PackageNotFoundError:
        return None
    if found["Version"] != version:
        return None
    classified = [text.rpartition(" :: ")[2] for text in found.get_all("Classifier") or [] if text.startswith("License :: ")]
    named = next((found[key] for key in ("License-Expression", "License") if key in found and len(found[key]) <= _LONGEST), "")
    if "License-Expression" not in found and classified:
        named = classified[0]
    return named if named and "\n" not in named else None


if __name__ == "__main__":
    main(sys.argv[1:])

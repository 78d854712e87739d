"""`make audit`: hashes, licences and known vulnerabilities of everything that is pinned.

Exit codes: 0 nothing found, 1 something found, 3 (with AUDIT_STRICT=1 alone) the source of known vulnerabilities is away.
Without AUDIT_STRICT that is told and is no fault, so that the rest can be checked on a machine without a way out.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from tests.audit import licences, vulnerabilities

ROOT = Path(__file__).resolve().parents[2]
LOCKS = tuple(
    ROOT / name for name in ("requirements.txt", "requirements-embedded.txt", "requirements-dev.txt", "requirements-audit.txt")
)
NOT_ASKED = 3


def main() -> int:
    faults = [f"{file.name}: {name} has no hash" for file in LOCKS for name in licences.unhashed(file)]
    found = licences.read(LOCKS)
    for entry in found:
        use = "runtime" if entry.is_runtime else "tool"
        licence = "(not on this machine)" if entry.licence is None else entry.licence
        print(f"{entry.name:<26} {entry.version:<12} {use:<8} {licence}")
    faults += [f"{entry.name}: its licence ({entry.licence}) {entry.fault}" for entry in found if entry.fault]
    away = False
    for file in LOCKS:
        checked = vulnerabilities.check(file)
        faults += checked.found
        away = away or checked.why is not None
        said = f"NOT CHECKED: {checked.why}" if checked.why else f"{checked.asked} of {checked.total} known to the source"
        print(f"vulnerabilities of {file.name}: {said}")
    for fault in faults:
        print(f"FOUND      {fault}")
    print(
        f"audit: {len(found)} dependencies, {len(faults)} faults"
        + ("; vulnerabilities were not checked everywhere" if away else "")
    )
    if faults:
        return 1
    return NOT_ASKED if away and os.environ.get("AUDIT_STRICT") == "1" else 0


if __name__ == "__main__":
    sys.exit(main())

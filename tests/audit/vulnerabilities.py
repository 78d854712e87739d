"""Known vulnerabilities of the pinned dependencies, by pip-audit; and whether its source could be asked at all."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Checked:
    """`asked` dependencies of `total` were known to the source; `found` are sentences; `why` when nothing could be asked."""

    total: int
    asked: int
    found: tuple[str, ...] = ()
    why: str | None = None


def check(file: Path, timeout: float = 300) -> Checked:
    """Ask for every line of a lock file. A source that is away is no fault: it is told."""
    command = [sys.executable, "-m", "pip_audit", "--require-hashes", "--disable-pip", "-r", str(file), "-f", "json"]
    try:
        done = subprocess.run(
            [*command, "--progress-spinner", "off", "--timeout", "10"],
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return Checked(0, 0, why="it did not answer in time")
    return read(done.stdout, done.stderr)


def read(output: str, errors: str) -> Checked:
    """What pip-audit printed."""
    try:
        entries = json.loads(output)["dependencies"]
    except (ValueError, KeyError, TypeError):
        last = (errors.strip().splitlines() or ["it said nothing"])[-1]
        return Checked(0, 0, why=last[:200])
    found = tuple(
        f"{entry['name']} {entry['version']}: {bug['id']}, mended in {', '.join(bug['fix_versions']) or 'no release yet'}"
        for entry in entries
        for bug in entry.get("vulns", ())
    )
    asked = sum(1 for entry in entries if "skip_reason" not in entry)
    return Checked(
        len(entries), asked, found, None if asked else "it knows none of the dependencies: it cannot be reached from here"
    )

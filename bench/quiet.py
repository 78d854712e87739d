"""Waits until the machine is idle: what one side leaves behind (programs that it started, caches that are written) is not the
other's to bear."""

from __future__ import annotations

import time
from pathlib import Path

_STAT = Path("/proc/stat")
_LOOK_SECONDS = 0.25
_IDLE = 0.9  # of all cores
_PATIENCE = 30.0


def settle() -> None:
    """Returns once the cores were idle for a moment, or after half a minute; at once where the system does not tell."""
    if not _STAT.exists():
        return
    give_up = time.monotonic() + _PATIENCE
    before = _times()
    while time.monotonic() < give_up:
        time.sleep(_LOOK_SECONDS)
        after = _times()
        idle, whole = (now - then for now, then in zip(after, before, strict=True))
        if whole > 0 and idle / whole >= _IDLE:
            return
        before = after


def _times() -> tuple[int, int]:
    """(idle, all), in ticks over all cores: https://docs.kernel.org/filesystems/proc.html"""
    ticks = [int(part) for part in _STAT.read_text(encoding="ascii").splitlines()[0].split()[1:9]]
    return ticks[3] + ticks[4], sum(ticks)

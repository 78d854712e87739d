"""How many processors this process may use: fewer than the machine has, in a container."""

from __future__ import annotations

import os
from pathlib import Path, PurePosixPath

MOST = 4  # by default; a host of 64 cores would get 64 processes of 80 MB each
_ROOT = Path("/sys/fs/cgroup")
_OWN = Path("/proc/self/cgroup")


def usable_processors(own: Path = _OWN, root: Path = _ROOT) -> int:
    """1 to 4: what CPU affinity and the quota of the control group leave, rounded up.

    https://docs.kernel.org/admin-guide/cgroup-v2.html (cpu.max); version 1 has cpu.cfs_quota_us and cpu.cfs_period_us.
    """
    allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    quota = cgroup_quota(own, root)
    return max(1, min(MOST, allowed, -int(-quota // 1) if quota is not None else allowed))


def cgroup_quota(own: Path, root: Path) -> float | None:
    """The smallest quota, in processors, of our group and of those around it; None where there is none."""
    quotas = [quota for folder in _folders(own, root) if (quota := _read(folder)) is not None]
    return min(quotas, default=None)


def _folders(own: Path, root: Path) -> list[Path]:
    """Of version 2 first, then of version 1: ours and all above it. In a container ours is often the root."""
    found = []
    for line in (_text(own) or "").splitlines():
        _, controllers, path = line.split(":", 2) if line.count(":") >= 2 else ("", "none", "")
        if controllers and "cpu" not in controllers.split(","):
            continue
        base = root / controllers if controllers else root
        group = PurePosixPath(path)
        parts = [part for part in (group, *group.parents) if part.is_absolute() and ".." not in part.parts]
        found += [base / part.relative_to("/") for part in parts]
    return found


def _read(folder: Path) -> float | None:
    if (text := _text(folder / "cpu.max")) is not None:
        quota, _, period = text.partition(" ")
    else:
        quota, period = _text(folder / "cpu.cfs_quota_us") or "", _text(folder / "cpu.cfs_period_us") or ""
    if not (quota.strip().isdigit() and period.strip().isdigit()):  # "max", or -1
        return None
    return int(quota) / max(1, int(period))


def _text(path: Path) -> str | None:
    try:
        return path.read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError):
        return None

"""Defaults follow what the container may use, not what the machine has."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from shared.infra.processors import cgroup_quota, usable_processors


def files(root: Path, own: str, **texts: str) -> tuple[Path, Path]:
    for name, text in texts.items():
        path = root / "cgroup" / name.replace("__", "/").replace("_max", ".max").replace("_cfs", ".cfs")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    (root / "own").write_text(own)
    return root / "own", root / "cgroup"


@pytest.mark.parametrize(
    ("own", "texts", "quota"),
    [
        ("0::/\n", {"cpu_max": "150000 100000\n"}, 1.5),
        ("0::/\n", {"cpu_max": "max 100000\n"}, None),
        ("0::/a/b\n", {"a__cpu_max": "200000 100000", "a__b__cpu_max": "max 100000"}, 2.0),
        ("4:memory:/x\n3:cpu,a:/x\n", {"cpu,a__x__cpu_cfs_quota_us": "50000", "cpu,a__x__cpu_cfs_period_us": "100000"}, 0.5),
        ("3:cpu:/\n", {"cpu__cpu_cfs_quota_us": "-1", "cpu__cpu_cfs_period_us": "100000"}, None),
        ("0::/../../x\n", {}, None),
        ("nonsense", {"cpu_max": "nonsense"}, None),
        ("0::/\n", {}, None),
    ],
)  # fmt: skip
def test_the_quota_of_a_control_group(tmp_path: Path, own: str, texts: dict[str, str], quota: float | None) -> None:
    assert cgroup_quota(*files(tmp_path, own, **texts)) == quota


@pytest.mark.parametrize(
    ("allowed", "quota", "expected"),
    [(64, "max 1", 4), (64, "150000 100000", 2), (64, "5000 100000", 1), (3, "max 1", 3), (1, "800000 100000", 1)],
)
def test_between_one_and_four(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, allowed: int, quota: str, expected: int) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(allowed)), raising=False)
    assert usable_processors(*files(tmp_path, "0::/\n", cpu_max=quota)) == expected

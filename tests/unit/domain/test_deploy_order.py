"""Which deploys make another one late."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from shared.domain.deploy_order import Deploy, warn_of_later
from tests.builders import NOW

MINUTE = timedelta(minutes=1)


def deploy(version: str = "v2", **fields: Any) -> Deploy:
    return Deploy(
        **{"version": version, "environment": "production", "projects": frozenset({"app"}), "finished_at": NOW, **fields}
    )


def test_the_newest_of_the_later_deploys_is_named() -> None:
    others = [deploy(f"v{number}", finished_at=NOW + number * MINUTE) for number in (3, 5, 4)]
    warning = warn_of_later(deploy(), others)
    assert warning is not None
    assert warning.code == "later_deploy"
    assert warning.detail == "production has had v5 since 2026-03-02T12:05:00Z, later than this version's deploy"


def test_earlier_ones_other_environments_and_other_projects_are_no_matter() -> None:
    later = NOW + MINUTE
    assert warn_of_later(deploy(), []) is None
    assert warn_of_later(deploy(), [deploy("v1", finished_at=NOW - MINUTE), deploy("v1")]) is None
    assert warn_of_later(deploy(), [deploy(environment="staging", finished_at=later)]) is None
    assert warn_of_later(deploy(), [deploy(projects=frozenset({"web"}), finished_at=later)]) is None
    assert warn_of_later(deploy(), [deploy(projects=frozenset({"web", "app"}), finished_at=later)]) is not None

"""A short drill on SQLite and Redis; `make drill` runs the long one on every combination."""

from __future__ import annotations

import pytest

from tests.drill.drill import Plan, run, table

pytestmark = pytest.mark.world


def test_a_short_drill_loses_nothing_and_does_nothing_twice() -> None:
    report = run(Plan(deliveries=120, kills=6, seed=7, patience=60))
    assert not report.faults, table(report)
    assert sum(report.kills.values()) == 6

"""What a comparison of tags with releases found: what is missing, what makes no release, and both as JSON."""

from __future__ import annotations

from datetime import UTC, datetime

from shared.domain.push import Repository
from shared.domain.reconcile_report import ReconcileEntry, ReconcileReport, oldest_first
from shared.domain.rules import Work

SHA = "a" * 40
WORK = Work(rule="all", target="main", version="v1", projects=("shop",), set_commits="auto", finalize=True, environment=None)
THERE = ReconcileEntry(tag="v1", sha=SHA, work=WORK, why=None)
MISSED = ReconcileEntry(tag="v2", sha=SHA, work=WORK, why="missed_webhook")
UNWANTED = ReconcileEntry(tag="latest", sha=SHA, work=None, why="version_refused", detail="Sentry refuses it")
REPORT = ReconcileReport(Repository("github", "acme/shop"), 9, (THERE, MISSED, UNWANTED))


def test_a_release_that_is_not_there_is_missing_a_tag_without_one_is_not() -> None:
    assert REPORT.missing == (MISSED,)
    assert REPORT.refused == (UNWANTED,)


def test_what_is_missing_is_made_in_the_order_of_the_commits() -> None:
    def entry(tag: str, day: int | None) -> ReconcileEntry:
        at = None if day is None else datetime(2026, 1, day, tzinfo=UTC)
        return ReconcileEntry(tag=tag, sha=SHA, work=WORK, why="missed_webhook", at=at)

    by_version = [entry("v0", None), entry("v1.0", 1), entry("v1.1", 9), entry("v2.0", 5), entry("v2.1", None)]
    assert [one.tag for one in oldest_first(by_version)] == ["v0", "v1.0", "v2.0", "v2.1", "v1.1"]


def test_an_entry_as_json_says_the_release_or_why_there_is_none() -> None:
    assert MISSED.as_json() == {"tag": "v2", "sha": SHA, "target": "main", "version": "v1", "why": "missed_webhook"}
    assert UNWANTED.as_json() == {"tag": "latest", "reason": "version_refused", "detail": "Sentry refuses it"}

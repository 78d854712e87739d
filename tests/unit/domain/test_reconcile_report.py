"""What a comparison of tags with releases found: what is missing, what makes no release, and both as JSON."""

from __future__ import annotations

from shared.domain.push import Repository
from shared.domain.reconcile_report import ReconcileEntry, ReconcileReport
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


def test_an_entry_as_json_says_the_release_or_why_there_is_none() -> None:
    assert MISSED.as_json() == {"tag": "v2", "sha": SHA, "target": "main", "version": "v1", "why": "missed_webhook"}
    assert UNWANTED.as_json() == {"tag": "latest", "reason": "version_refused", "detail": "Sentry refuses it"}

"""What an answer says of a release, held against what was asked."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from shared.domain import release_answer
from tests.builders import NOW

COMMITS = [{"id": "b", "timestamp": "2026-05-04T12:00:00+02:00"}, {"id": "a", "timestamp": "2026-05-04T11:00:00+00:00"}]
ASKED: dict[str, Any] = {"version": "v1", "projects": ["web", "3"], "ref": "v1", "dateReleased": NOW.isoformat()}
KEPT: dict[str, Any] = {
    "ref": "v1",
    "dateReleased": "2020-01-01T00:00:00Z",
    "projects": [{"slug": "web", "id": 2}, {"slug": "api", "id": 3}],
    "status": "open",
    "commitCount": 2,
    "lastCommit": {"id": "a"},
}


def codes(asked: dict[str, Any], answer: dict[str, Any]) -> list[str]:
    return [str(warning.code) for warning in release_answer.differences(asked, answer)]


@pytest.mark.parametrize(
    ("answer", "found"),
    [
        (KEPT, []),
        ({}, []),  # what is not said is not held against it
        ({"projects": None, "status": None}, []),
        ({**KEPT, "dateReleased": None}, ["not_finalized"]),
        ({**KEPT, "ref": None}, ["ref_differs"]),
        ({**KEPT, "ref": ["v1"]}, ["ref_differs"]),
        ({**KEPT, "projects": ["web", 3]}, []),
        ({**KEPT, "projects": [{"slug": "web"}, None]}, ["project_dropped"]),
        ({**KEPT, "projects": []}, ["project_dropped"]),
        ({**KEPT, "status": "archived", "dateReleased": ""}, ["not_finalized", "release_archived"]),
    ],
)
def test_each_difference_is_a_warning(answer: dict[str, Any], found: list[str]) -> None:
    assert codes(ASKED, answer) == found
    assert release_answer.holds(ASKED, answer) == (found in ([], ["release_archived"]))


def test_what_was_not_asked_is_no_difference() -> None:
    assert codes({**ASKED, "dateReleased": None}, {**KEPT, "dateReleased": None}) == []


def test_a_warning_names_what_is_kept_and_what_was_asked() -> None:
    ref, project = release_answer.differences(ASKED, {**KEPT, "ref": "main" * 50, "projects": []})
    assert ref.detail == f"the target keeps {'main' * 20!r} as ref, not 'v1'"
    assert project.detail == "the release at the target lacks the project 'web', '3'"


def test_only_what_the_release_lacks_is_put() -> None:
    assert release_answer.correction(ASKED, {**KEPT, "dateReleased": None}) == {"dateReleased": ASKED["dateReleased"]}
    assert release_answer.correction(ASKED, {"ref": "", "dateReleased": None}).keys() == {"ref", "dateReleased"}
    assert release_answer.correction({**ASKED, "dateReleased": None}, {**KEPT, "dateReleased": None}) == {}
    assert release_answer.correction(ASKED, {"ref": "other"}) == {}


@pytest.mark.parametrize(("value", "count"), [(3, 3), (0, 0), (-1, None), (True, None), ("3", None), (None, None)])
def test_a_count_is_a_number_or_unknown(value: object, count: int | None) -> None:
    assert release_answer.count_commits({"commitCount": value}) == count


@pytest.mark.parametrize(
    ("sent", "kept", "said"),
    [
        (0, 0, None),
        (2, 2, None),
        (2, 3, None),
        (2, 0, "the target keeps none of the 2 commits sent"),
        (2, None, "the target keeps none of the 2 commits sent"),
        (2, 1, "the target keeps 1 of the 2 commits sent"),
    ],
)
def test_commits_that_are_not_kept(sent: int, kept: int | None, said: str | None) -> None:
    warning = release_answer.lacks_commits(sent, kept)
    assert (warning.detail if warning else None) == said


@pytest.mark.parametrize(
    ("change", "is_held"),
    [
        ({}, True),
        ({"commitCount": 1}, False),
        ({"commitCount": None}, False),
        ({"lastCommit": {"id": "b"}}, False),  # a tag that moved lists as many
        ({"lastCommit": None}, False),
    ],
)
def test_commits_are_there_by_number_and_newest(change: dict[str, Any], is_held: bool) -> None:
    assert release_answer.holds_commits({**ASKED, "commits": COMMITS}, {**KEPT, **change}) == is_held


def test_without_commits_or_without_times_too() -> None:
    assert release_answer.holds_commits(ASKED, {})
    untimed = [{"id": "x"}, {"id": "y"}]
    assert release_answer.holds_commits({"commits": untimed}, {"commitCount": 2, "lastCommit": {"id": "x"}})


@pytest.mark.parametrize(
    ("created", "is_older"),
    [
        ((NOW - timedelta(seconds=4)).isoformat(), True),
        ((NOW - timedelta(seconds=4)).replace(tzinfo=None).isoformat(), True),
        ((NOW - timedelta(seconds=2)).isoformat(), False),  # it took two seconds, and the clock has whole ones
        (NOW.isoformat(), False),
        (None, False),
        ("soon", False),
        ("0001-01-01T00:00:00+23:59", True),
    ],
)
def test_a_release_that_was_there_before_our_request(created: object, is_older: bool) -> None:
    assert release_answer.is_older({"dateCreated": created}, NOW, timedelta(seconds=2)) == is_older


def test_a_clock_beyond_all_time_says_nothing() -> None:
    assert not release_answer.is_older({"dateCreated": NOW.isoformat()}, NOW, timedelta(days=1_000_000))


@pytest.mark.parametrize(
    ("projects", "has_others"),
    [
        ([{"id": 2, "slug": "web"}], False),
        ([{"id": 2, "slug": "web"}, {"id": 3, "slug": "api"}], True),
        (["web"], False),
        ([], False),
        (None, True),
    ],
)
def test_other_projects_of_a_release(projects: object, has_others: bool) -> None:
    assert release_answer.has_other_projects(["web", 2], {"projects": projects}) == has_others

"""What each end of an attempt makes of its job, and what the attempt's row keeps."""

from __future__ import annotations

from typing import Any

import pytest

from shared.domain import attempt_end
from shared.domain.attempt_end import NOT_RECOLLECTING, AttemptEnd
from shared.domain.job_states import TRANSITIONS, JobState, Outcome
from shared.domain.job_warnings import JobWarning, WarningCode
from tests.builders import NOW

WHOLE, PARTLY = {"partial": None}, {"partial": "no token"}
SENT: dict[str, Any] = {"outcome": "created", "http_status": 201, "release_url": "u"}


def recollected(before: JobState, found: Any, warnings: Any = None) -> AttemptEnd:
    return attempt_end.recollected(before=before, found=found, warnings=warnings, http_status=208)


def not_recollected(before: JobState) -> AttemptEnd:
    return attempt_end.not_recollected(before=before, error="no", http_status=None)


@pytest.mark.parametrize(
    ("ended", "state", "outcome", "reason"),
    [
        (attempt_end.succeeded(found=WHOLE, **SENT), JobState.SUCCEEDED, Outcome.SUCCEEDED, None),
        (attempt_end.succeeded(found=None, **SENT), JobState.SUCCEEDED, Outcome.SUCCEEDED, None),
        (attempt_end.succeeded(found=PARTLY, **SENT), JobState.SUCCEEDED, Outcome.SUCCEEDED, "commits_partial"),
        (attempt_end.retried(at=NOW, reason="r", error="e", http_status=503), JobState.RETRYING, Outcome.RETRY, "r"),
        (attempt_end.failed(reason="r", error="e", http_status=400), JobState.FAILED, Outcome.FAILED, "r"),
        (attempt_end.snoozed(at=NOW, waiting={"detail": "d"}), JobState.RETRYING, Outcome.HELD, None),
        (attempt_end.handed_back(NOW), JobState.QUEUED, Outcome.HELD, None),
        (recollected(JobState.SUCCEEDED, WHOLE), JobState.SUCCEEDED, Outcome.SUCCEEDED, None),
        (recollected(JobState.SUCCEEDED, PARTLY), JobState.SUCCEEDED, Outcome.SUCCEEDED, "commits_partial"),
        (recollected(JobState.RETRYING, None), JobState.SUCCEEDED, Outcome.SUCCEEDED, None),
        (recollected(JobState.RETRYING, PARTLY), JobState.RETRYING, Outcome.SUCCEEDED, None),
        (not_recollected(JobState.SUCCEEDED), JobState.SUCCEEDED, Outcome.FAILED, None),
        (not_recollected(JobState.RETRYING), JobState.RETRYING, Outcome.FAILED, None),
    ],
)
def test_each_end_leads_from_running_to_one_state(
    ended: AttemptEnd, state: JobState, outcome: Outcome, reason: str | None
) -> None:
    sources, target = TRANSITIONS[ended.transition]
    assert JobState.RUNNING in sources
    assert (target, ended.outcome, ended.values.get("reason")) == (state, outcome, reason)


def test_a_recollect_that_ends_its_list_forgets_what_was_before_it() -> None:
    assert recollected(JobState.RETRYING, WHOLE).values.items() >= NOT_RECOLLECTING.items()
    assert not recollected(JobState.RETRYING, PARTLY).values.keys() & NOT_RECOLLECTING.keys()


def test_warnings_stay_where_nothing_was_sent() -> None:
    warning = JobWarning(WarningCode.REF_DIFFERS, "d")
    assert "warnings" not in recollected(JobState.SUCCEEDED, WHOLE).values
    assert recollected(JobState.SUCCEEDED, WHOLE, [warning]).values["warnings"] == [{"code": "ref_differs", "detail": "d"}]


def test_a_long_error_is_cut_in_the_job_and_in_the_attempt() -> None:
    for ended in (
        attempt_end.failed(reason="r", error="e" * 3_000, http_status=None),
        attempt_end.retried(at=NOW, reason=None, error="e" * 3_000, http_status=None),
    ):
        assert ended.error == ended.values["error"] == "e" * 1_999 + "…"
    assert attempt_end.failed(reason="r", error="e" * 2_000, http_status=None).error == "e" * 2_000

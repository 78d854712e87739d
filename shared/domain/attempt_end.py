"""How an attempt ended, as one value: what becomes of its job and what its row keeps. Pure.

`shared/ledger/job_transitions.py` writes it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from shared.domain.job_states import JobState, Outcome, Trigger
from shared.domain.job_warnings import JobWarning, as_json
from shared.domain.reasons import Reason

PARTIAL = Reason.COMMITS_PARTIAL  # the reason of a release that is there and lacks some of its commits
NOT_RECOLLECTING = {"before_status": None, "before_next_at": None, "before_waiting": None, "before_updated_at": None}
_LONGEST_ERROR = 2_000


@dataclass(frozen=True, slots=True)
class AttemptEnd:
    """`transition`: one of `TRANSITIONS`; `values`: the columns of the job that change with it.

    `http_status` and `error` are those of the attempt, None where there was no answer or no fault.
    """

    transition: str
    outcome: Outcome
    values: Mapping[str, Any]
    http_status: int | None = None
    error: str | None = None


def succeeded(
    *,
    outcome: str,
    http_status: int,
    release_url: str,
    found: Mapping[str, Any] | None,
    warnings: Iterable[JobWarning] = (),
) -> AttemptEnd:
    """The release is at the target. `outcome`: created or existed; `found`: the commit range (contract section 4)."""
    values = {
        "outcome": outcome,
        "release_url": release_url,
        "range": found,
        "warnings": as_json(warnings),
        "reason": PARTIAL if found and found["partial"] else None,
        "error": None,
    }
    return AttemptEnd("succeed", Outcome.SUCCEEDED, values, http_status)


def retried(*, at: datetime, reason: str | None, error: str, http_status: int | None) -> AttemptEnd:
    """A temporary failure: the job waits in SQL until `at`, then the sweeper enqueues it."""
    values = {"trigger": Trigger.RETRY, "next_attempt_at": at, "knock_at": at, "reason": reason, "error": _cut(error)}
    return AttemptEnd("retry_later", Outcome.RETRY, values, http_status, _cut(error))


def failed(*, reason: str, error: str, http_status: int | None) -> AttemptEnd:
    """A person must act: the job is a dead letter until it is replayed."""
    return AttemptEnd("fail", Outcome.FAILED, {"reason": reason, "error": _cut(error)}, http_status, _cut(error))


def snoozed(*, at: datetime, waiting: Mapping[str, Any]) -> AttemptEnd:
    """Wait until `at` for something that is not the job's fault: its budget grows by the attempt that this one cost.

    `waiting`: {"code", "detail", "until"} (contract section 4). The trigger stays: a replay that was held is still one.
    """
    values = {"next_attempt_at": at, "knock_at": at, "waiting": dict(waiting)}
    return AttemptEnd("snooze", Outcome.HELD, values, error=_cut(str(waiting["detail"])))


def handed_back(now: datetime) -> AttemptEnd:
    """The worker is told to stop: another one restarts the job immediately, and the attempt costs nothing."""
    return AttemptEnd("hand_back", Outcome.HELD, {"next_attempt_at": now, "knock_at": now}, error="the worker was stopped")


def recollected(
    *, before: str, found: Mapping[str, Any] | None, warnings: Iterable[JobWarning] | None, http_status: int | None
) -> AttemptEnd:
    """The release lists what was found, None when it lists nothing by intent. `before`: the state that the job had;
    `warnings`: None where nothing was sent.

    One that waited to complete its list and is still partial waits on.
    """
    partial = found["partial"] if found else None
    values: dict[str, Any] = {"range": found} | ({} if warnings is None else {"warnings": as_json(warnings)})
    if partial and before == JobState.RETRYING:
        return AttemptEnd("restore_completing", Outcome.SUCCEEDED, values, http_status)
    values |= {"reason": PARTIAL if partial else None, "error": None, **NOT_RECOLLECTING}
    return AttemptEnd("succeed", Outcome.SUCCEEDED, values, http_status)


def not_recollected(*, before: str, error: str, http_status: int | None) -> AttemptEnd:
    """Nothing has changed: the job is as it was before, and the attempt says why."""
    transition = "restore_succeeded" if before == JobState.SUCCEEDED else "restore_completing"
    return AttemptEnd(transition, Outcome.FAILED, {}, http_status, _cut(error))


def _cut(text: str) -> str:
    return text if len(text) <= _LONGEST_ERROR else text[: _LONGEST_ERROR - 1] + "…"

"""The states of a job and which transition leads from where to where. Pure; imports no one."""

from __future__ import annotations

from enum import StrEnum


class JobState(StrEnum):
    QUEUED = "queued"  # accepted or replayed, waits for a worker
    RUNNING = "running"  # a worker holds the lease
    RETRYING = "retrying"  # a passing failure; waits for next_attempt_at
    SUCCEEDED = "succeeded"  # the release is at the target
    FAILED = "failed"  # a person must act; a dead letter
    CANCELLED = "cancelled"  # a person said no


WAITING = (JobState.QUEUED, JobState.RETRYING)


class Trigger(StrEnum):
    """Why an attempt was made."""

    WEBHOOK = "webhook"
    RETRY = "retry"
    REPLAY = "replay"  # a person, or the sender's redelivery
    RESCUE = "rescue"  # the worker before it vanished
    RECONCILE = "reconcile"  # the tag is at the forge, its webhook never came
    BACKFILL = "backfill"  # a person asked for the releases of the past
    RECOLLECT = "recollect"  # the commit list of a release that is there is collected again


class Outcome(StrEnum):
    """How an attempt ended; an attempt without one is still running."""

    SUCCEEDED = "succeeded"
    RETRY = "retry"
    FAILED = "failed"
    HELD = "held"  # it had to wait for something that is not its fault; costs nothing of the budget
    LOST = "lost"  # the lease ran out: the worker died, or was too slow to be believed


# transition -> (from, to)
TRANSITIONS: dict[str, tuple[frozenset[JobState], JobState]] = {
    "claim": (frozenset(WAITING), JobState.RUNNING),
    "succeed": (frozenset({JobState.RUNNING}), JobState.SUCCEEDED),
    "retry_later": (frozenset({JobState.RUNNING}), JobState.RETRYING),
    "snooze": (frozenset({JobState.RUNNING}), JobState.RETRYING),
    "fail": (frozenset({JobState.RUNNING}), JobState.FAILED),
    "hand_back": (frozenset({JobState.RUNNING}), JobState.QUEUED),
    "rescue": (frozenset({JobState.RUNNING}), JobState.QUEUED),
    "give_up": (frozenset({JobState.RUNNING, *WAITING}), JobState.FAILED),  # no attempt is left, or no worker can read it
    "cancel": (frozenset(WAITING), JobState.CANCELLED),
    "settle": (frozenset({JobState.RETRYING}), JobState.SUCCEEDED),  # a person wants no more of its commits
    "replay": (frozenset({JobState.FAILED, JobState.CANCELLED}), JobState.QUEUED),
    "recollect": (frozenset({JobState.SUCCEEDED, JobState.RETRYING}), JobState.QUEUED),  # its release is there
    # A recollect that ends without a whole list gives the state back that the job had before.
    "restore_succeeded": (frozenset({JobState.RUNNING, *WAITING}), JobState.SUCCEEDED),
    "restore_completing": (frozenset({JobState.RUNNING, *WAITING}), JobState.RETRYING),
    # Its release is there, its ref moved away and is back on its commit.
    "return": (frozenset({JobState.SUCCEEDED, JobState.RETRYING}), JobState.QUEUED),
}

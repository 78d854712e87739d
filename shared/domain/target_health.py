"""The circuit breaker of a target: when it is paused, probed and trusted again. Pure: what was seen and the time come in.

ok ── 5 releases in a row fail, a cheap question gets no answer ──► paused ── its time has come ──► probing (one job)
ok ── 5 releases in a row fail, the question is answered ──► ok, but careful: one job at a time, until one succeeds
ok ── 401 or 403, or a person ──► paused until a person resumes it
probing ── well ──► ok     probing ── ill, no answer to the question ──► paused, for longer     else ──► careful

The question tells a target that is down from releases that it never takes: those must not hold up all others.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum

from shared.domain.reasons import Reason

FAILURES_TO_PAUSE = 5  # distinct releases
FIRST_PAUSE = timedelta(seconds=5)
LONGEST_PAUSE = timedelta(seconds=60)
LONGEST_ASKED = timedelta(hours=1)  # what Retry-After may ask of us


class TargetState(StrEnum):
    OK = "ok"
    PAUSED = "paused"
    PROBING = "probing"


class Sign(StrEnum):
    """What the end of an attempt says about its target."""

    WELL = "well"  # it answered as a target does, be it with a refusal of this one release
    ILL = "ill"  # a passing failure
    BARRED = "barred"  # 401 or 403: no job can succeed until a person acts
    NONE = "none"  # the attempt never got as far as the target


@dataclass(frozen=True, slots=True, kw_only=True)
class Health:
    """`paused_until` is None for a pause that only a person ends.

    `failures`: releases that failed for the moment in a row, and failed probes; `failed`: the versions of the former.
    `is_careful`: the target answers, but takes none of these releases: it gets one job at a time until one succeeds.
    """

    state: TargetState = TargetState.OK
    reason: str | None = None
    detail: str | None = None
    failures: int = 0
    paused_until: datetime | None = None
    probe_job: str | None = None
    failed: tuple[str, ...] = ()
    is_careful: bool = False


@dataclass(frozen=True, slots=True)
class Seen:
    """The end of an attempt. `asked`: the wait that the target asked for. `release`: its version.

    `answers`: whether the target answered the cheap question since; None where it was not asked.
    """

    sign: Sign
    detail: str | None = None
    asked: timedelta | None = None
    release: str | None = None
    answers: bool | None = None


def after_attempt(health: Health, seen: Seen, *, job_id: str, now: datetime) -> Health:
    """The health after an attempt of `job_id`. While paused or probing, only the probe's own end changes anything."""
    is_probe = health.state is TargetState.PROBING and health.probe_job == job_id
    is_open = health.state is TargetState.OK or is_probe
    if seen.sign is Sign.BARRED and (is_open or health.paused_until is not None):
        return Health(state=TargetState.PAUSED, reason=Reason.TARGET_AUTH, detail=seen.detail, failures=health.failures)
    if not is_open:
        return health
    if seen.sign is Sign.WELL:
        return Health()
    if seen.sign is Sign.ILL:
        return _fallen_ill(health, seen, now)
    return lose_probe(health, job_id, now)


def is_to_be_asked(health: Health, seen: Seen, job_id: str) -> bool:
    """Whether this failure would pause the target, so that it is worth a question first. A rate limit needs none."""
    if seen.sign is not Sign.ILL or seen.asked is not None:
        return False
    if health.state is TargetState.PROBING:
        return health.probe_job == job_id
    return health.state is TargetState.OK and _count(health, seen) >= FAILURES_TO_PAUSE


def _count(health: Health, seen: Seen) -> int:
    """Failures with this one: of one release only the first counts, but for a probe."""
    is_known = seen.release is not None and seen.release in health.failed and health.state is TargetState.OK
    return health.failures if is_known else health.failures + 1


def _fallen_ill(health: Health, seen: Seen, now: datetime) -> Health:
    failures = _count(health, seen)
    failed = health.failed
    if seen.release is not None and seen.release not in failed:
        failed = (*failed, seen.release)[-FAILURES_TO_PAUSE:]
    if failures < FAILURES_TO_PAUSE and health.state is TargetState.OK:
        return replace(health, failures=failures, failed=failed)
    if seen.answers:
        detail = f"it answers, but {len(failed)} releases in a row failed: it gets one job at a time until one succeeds"
        return Health(detail=detail, failures=FAILURES_TO_PAUSE, failed=failed, is_careful=True)
    wait = max(pause_length(failures), min(seen.asked or timedelta(0), LONGEST_ASKED))
    return Health(
        state=TargetState.PAUSED,
        reason=Reason.TARGET_PAUSED,
        detail=seen.detail,
        failures=failures,
        paused_until=now + wait,
        failed=failed,
    )


def pause_length(failures: int) -> timedelta:
    """5 s after five failures, doubling with each failed probe up to 60 s."""
    doublings = min(max(0, failures - FAILURES_TO_PAUSE), 10)
    return min(LONGEST_PAUSE, FIRST_PAUSE * (1 << doublings))


def begin_probe(health: Health, job_id: str, now: datetime) -> Health:
    """Let one job through, once the pause is over; else the same health."""
    is_over = health.state is TargetState.PAUSED and health.paused_until is not None and health.paused_until <= now
    return replace(health, state=TargetState.PROBING, probe_job=job_id) if is_over else health


def lose_probe(health: Health, job_id: str, now: datetime) -> Health:
    """The probe was cancelled or has to wait: another job may take its place at once."""
    if health.state is not TargetState.PROBING or health.probe_job != job_id:
        return health
    return replace(health, state=TargetState.PAUSED, paused_until=now, probe_job=None)


def pause_by_hand() -> Health:
    return Health(state=TargetState.PAUSED, reason=Reason.TARGET_PAUSED, detail="paused by a person")

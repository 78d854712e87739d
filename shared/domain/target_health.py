"""Decides when a target is paused, probed and trusted again. Pure: what was seen and the time come in.

ok ── 5 passing failures in a row ──► paused ── its time has come ──► probing (one job) ── well ──► ok
ok ── 401 or 403, or a person ──► paused until a person resumes it     probing ── ill ──► paused, for longer
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum

from shared.domain.reasons import Reason

FAILURES_TO_PAUSE = 5
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
    """`paused_until` is None for a pause that only a person ends. `failures`: passing ones in a row."""

    state: TargetState = TargetState.OK
    reason: str | None = None
    detail: str | None = None
    failures: int = 0
    paused_until: datetime | None = None
    probe_job: str | None = None


@dataclass(frozen=True, slots=True)
class Seen:
    """The end of an attempt. `asked`: the wait that the target asked for."""

    sign: Sign
    detail: str | None = None
    asked: timedelta | None = None


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


def _fallen_ill(health: Health, seen: Seen, now: datetime) -> Health:
    failures = health.failures + 1
    if failures < FAILURES_TO_PAUSE and health.state is TargetState.OK:
        return replace(health, failures=failures)
    wait = max(pause_length(failures), min(seen.asked or timedelta(0), LONGEST_ASKED))
    return Health(
        state=TargetState.PAUSED,
        reason=Reason.TARGET_PAUSED,
        detail=seen.detail,
        failures=failures,
        paused_until=now + wait,
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

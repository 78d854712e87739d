"""Decides whether and when a failed attempt is tried again. Pure: errors, counts, times and randomness come in."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from shared.domain.reasons import Reason
from shared.domain.target_health import Seen, Sign
from shared.errors import PermanentError, TransientError


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """Waits grow from `first` by `factor` up to `longest`; with a budget of 12 they span about eight hours."""

    first: timedelta = timedelta(seconds=2)
    factor: float = 3.0
    longest: timedelta = timedelta(hours=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryAt:
    at: datetime
    reason: str | None
    error: str
    http_status: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class GiveUp:
    reason: str
    error: str
    http_status: int | None


def decide_retry(
    error: Exception, *, tried: int, allowed: int, now: datetime, random: Callable[[], float], policy: RetryPolicy
) -> RetryAt | GiveUp:
    """`tried` counts this attempt, `allowed` the attempts up to which the budget reaches; `random()` is in [0, 1)."""
    if isinstance(error, PermanentError):
        return GiveUp(reason=error.reason, error=str(error), http_status=error.status)
    # What nobody planned for is treated as passing: a mended program and the next attempt heal it.
    known = isinstance(error, TransientError)
    text = str(error) if known else f"unexpected {type(error).__name__}; the log has its trace"
    reason = error.reason if isinstance(error, TransientError) else None
    status = error.status if isinstance(error, TransientError) else None
    if tried >= allowed:
        return GiveUp(
            reason=Reason.ATTEMPTS_EXHAUSTED, error=f"gave up after {tried} attempts; the last: {text}", http_status=status
        )
    asked = error.retry_after if isinstance(error, TransientError) else None
    return RetryAt(at=now + wait(tried, asked, random(), policy), reason=reason, error=text, http_status=status)


def wait(tried: int, asked: timedelta | None, draw: float, policy: RetryPolicy) -> timedelta:
    """Half of the growing wait plus a random half of it; never earlier than the other side asked, up to the cap."""
    growing = min(policy.longest, policy.first * policy.factor ** min(tried - 1, 20))
    jittered = growing * (0.5 + draw / 2)
    return min(max(jittered, asked or timedelta(0)), policy.longest)


def read_sign(error: Exception | None) -> Seen:
    """What the end of an attempt says about its target; None is a success."""
    if error is None:
        return Seen(Sign.WELL)
    if isinstance(error, PermanentError):
        if error.reason == Reason.TARGET_AUTH and error.status in (401, 403):
            return Seen(Sign.BARRED, str(error))
        return Seen(Sign.NONE if error.status is None else Sign.WELL)
    if isinstance(error, TransientError):
        # 409: the target is busy with this one release, and well.
        is_well = error.status == 409 or error.is_of_release
        return Seen(Sign.WELL) if is_well else Seen(Sign.ILL, str(error), error.retry_after)
    return Seen(Sign.NONE)

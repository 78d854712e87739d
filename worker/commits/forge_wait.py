"""What to do when the forge does not answer as we need: wait for it, or send what is known and complete it later. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from shared.domain.reasons import Reason
from shared.errors import PermanentError, TransientError
from shared.forges.errors import Missing, RateLimited, Refused

FRESH = timedelta(minutes=2)  # the API may lag the webhook: a commit not found is news for this long, then a fact
ASK_AGAIN = timedelta(seconds=15)
CONTINUE = timedelta(seconds=1)  # where an attempt's time ended in the middle of a long listing
COMPLETE_AGAIN = timedelta(minutes=5)
COMPLETE_FOR = timedelta(hours=24)
REFUSED_FOR = timedelta(days=30)  # as long as payloads are kept
# The sweeper asks once a minute and wakes the jobs; these are for the case that it cannot.
_AT_LEAST, _AT_MOST = timedelta(hours=1), timedelta(days=1)
PUSH_LATE = timedelta(seconds=30)  # a branch's webhook may come this long after that of the tag pushed with it
_SENT_BEFORE = 0.9  # of the limit: the rest is for the sweeper's round and the sending
_SHORTEST, _LATE = 2.0, 20.0  # seconds


class NotRecollected(PermanentError):
    """The release keeps the list that it has."""

    def __init__(self, why: str) -> None:
        super().__init__(why, reason=Reason.COMMITS_PARTIAL)


@dataclass(frozen=True, slots=True)
class Snooze:
    """Wait until `at` without spending an attempt; `waiting` is the contract's {"code", "detail", "until"}."""

    at: datetime
    waiting: dict[str, Any]


@dataclass(frozen=True, slots=True)
class SendPartial:
    """Send what is known. `complete_at`: when to try for the rest, None when it will not get better by itself."""

    why: str
    complete_at: datetime | None


def decide_wait(
    problem: TransientError | PermanentError,
    *,
    pushed_at: datetime,
    asked_at: datetime,
    now: datetime,
    is_named: bool,
    limit: timedelta,
    was_sent: bool,
    is_whole: bool,
    is_continuing: bool = False,
) -> Snooze | SendPartial:
    """`asked_at`: since when someone has been waiting: the push, or a replay of it. All waiting ends `limit` after that.

    `is_named`: someone configured this forge (a token or an address); one that nobody named is asked, never waited for:
    when it limits us, the release goes out at once and is completed when the limit ends.

    `was_sent`: a partial release is there already, so nobody is kept waiting by asking again later.

    `is_whole`: the pushes received give the whole range, so a forge that is down keeps nobody waiting for it either.

    `is_continuing`: the forge answered until the attempt's time was used up, and the next attempt continues there.
    """
    why = str(problem)
    if isinstance(problem, PermanentError):
        return SendPartial(why, _when_accepted(asked_at, now, is_named=is_named) if isinstance(problem, Refused) else None)
    later = complete_later(asked_at, now)
    at, code, is_worth_waiting_for = now + ASK_AGAIN, Reason.FORGE_UNREACHABLE, is_named and not is_whole
    if isinstance(problem, RateLimited):
        at, code, is_worth_waiting_for = problem.until, Reason.RATE_LIMITED, is_named
        later = problem.until if later is not None else None
    elif isinstance(problem, Missing):
        code, is_worth_waiting_for = Reason.FORGE_BEHIND, now - pushed_at < FRESH
        later = complete_later(pushed_at, now)  # an old commit that is not there is gone, whoever replays its job
    elif is_continuing:
        at = now + CONTINUE
        later = at if later is not None else None
    if is_worth_waiting_for and not was_sent and is_within(at, asked_at, limit):
        return snooze(at, code, why)
    return SendPartial(why, later)


def decide_recollect(
    problem: TransientError | PermanentError, *, now: datetime, is_continuing: bool
) -> Snooze | NotRecollected:
    """A limit, and lists that are longer than one attempt, only let a recollect wait; whatever else the forge says ends it."""
    if isinstance(problem, RateLimited):
        return snooze(problem.until, Reason.RATE_LIMITED, str(problem))
    if is_continuing:
        return snooze(now + CONTINUE, Reason.FORGE_UNREACHABLE, str(problem))
    return NotRecollected(str(problem))


def complete_later(asked_at: datetime, now: datetime) -> datetime | None:
    """When to try for the rest of a release that is out: after five minutes, later less often, for a day."""
    age = now - asked_at
    return now + min(max(age / 12, COMPLETE_AGAIN), timedelta(hours=1)) if age <= COMPLETE_FOR else None


def _when_accepted(asked_at: datetime, now: datetime, *, is_named: bool) -> datetime | None:
    """When to try again at the latest where the forge refuses. Whoever has configured no token restarts to set one, which wakes
    the job; a token that is refused is watched."""
    age = now - asked_at
    if not is_named:
        return asked_at + COMPLETE_FOR if age < COMPLETE_FOR else None
    return now + min(max(age, _AT_LEAST), _AT_MOST) if age <= REFUSED_FOR else None


def is_within(at: datetime, asked_at: datetime, limit: timedelta) -> bool:
    """Whether an attempt at `at` can still be made and its release sent before the limit."""
    return at - asked_at <= limit * _SENT_BEFORE


def collecting_time(*, asked_at: datetime, now: datetime, limit: timedelta, was_sent: bool, longest: float) -> float:
    """For how many seconds an attempt may collect commits: to the limit. A job that comes late because it stood in a queue has
    a while all the same, and nobody waits for what completes a release."""
    left = (asked_at + limit * _SENT_BEFORE - now).total_seconds()
    if was_sent:
        return longest
    return min(longest, max(left, _SHORTEST) if asked_at + limit > now else _LATE)


def snooze(at: datetime, code: str, detail: str, party: str | None = None) -> Snooze:
    """`party`: who the code comes from, where it is not the one that is meant otherwise (`shared/domain/reasons.py`)."""
    until = at.isoformat(timespec="seconds").replace("+00:00", "Z")
    named = {} if party is None else {"party": party}
    return Snooze(at, {"code": code, "detail": detail, "until": until, **named})

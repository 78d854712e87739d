"""Wait for the forge, or send what is known and complete it later: `decide_wait` as a table."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.errors import PermanentError, TransientError
from shared.forges.errors import Missing, RateLimited, Refused
from tests.builders import NOW, examples
from worker.commits.forge_wait import SendPartial, Snooze, decide_wait

SECOND, MINUTE, HOUR = timedelta(seconds=1), timedelta(minutes=1), timedelta(hours=1)
LIMIT = 10 * MINUTE  # what `[commits] wait` says in this table


def limited(ends_in: timedelta) -> RateLimited:
    return RateLimited("limited", scope="github", until=NOW + ends_in, now=NOW, status=429)


DOWN = TransientError("down", status=502)
MISSING = Missing("no such commit", name="c0ffee", status=404)
ODD = PermanentError("a redirect", reason="forge_refused", status=301)
REFUSED = Refused("refused", scope="github", status=401)


@dataclass(frozen=True, kw_only=True)
class Situation:
    """What `decide_wait` is told, as ages before NOW; each row below states what differs from the usual."""

    problem: TransientError | PermanentError
    pushed: timedelta = SECOND  # ago
    asked: timedelta = SECOND  # ago
    is_configured: bool = True
    was_sent: bool = False
    is_whole: bool = False
    is_continuing: bool = False

    def decide(self) -> Snooze | SendPartial:
        return decide_wait(
            self.problem,
            pushed_at=NOW - self.pushed,
            asked_at=NOW - self.asked,
            now=NOW,
            is_named=self.is_configured,
            limit=LIMIT,
            was_sent=self.was_sent,
            is_whole=self.is_whole,
            is_continuing=self.is_continuing,
        )


def waits(code: str, after: timedelta) -> tuple[str, str, timedelta]:
    return "waits", code, after


def completes(after: timedelta) -> tuple[str, str, timedelta]:
    return "sends", "and completes", after


FINAL = ("sends", "for good", timedelta(0))


def outcome(decision: Snooze | SendPartial) -> tuple[str, str, timedelta]:
    if isinstance(decision, Snooze):
        return waits(decision.waiting["code"], decision.at - NOW)
    return FINAL if decision.complete_at is None else completes(decision.complete_at - NOW)


TABLE = [
    # What a person must change in the configuration does not get better by waiting.
    (Situation(problem=ODD), FINAL),
    (Situation(problem=ODD, was_sent=True), FINAL),
    # A refused token is asked about by the sweeper, which wakes the job; the job itself asks seldom, for as long as its payload
    # is kept.
    (Situation(problem=REFUSED), completes(HOUR)),
    (Situation(problem=REFUSED, was_sent=True, asked=9 * HOUR), completes(9 * HOUR)),
    (Situation(problem=REFUSED, was_sent=True, asked=720 * HOUR), completes(24 * HOUR)),
    (Situation(problem=REFUSED, was_sent=True, asked=720 * HOUR + SECOND), FINAL),
    # Without a token nothing changes until the worker starts with one, which wakes the job: for a day.
    (Situation(problem=REFUSED, is_configured=False, asked=HOUR), completes(23 * HOUR)),
    (Situation(problem=REFUSED, is_configured=False, asked=24 * HOUR), FINAL),
    # A commit that is not found: the API may lag behind the webhook, for two minutes after the push.
    (Situation(problem=MISSING), waits("forge_behind", 15 * SECOND)),
    (Situation(problem=MISSING, pushed=2 * MINUTE - SECOND), waits("forge_behind", 15 * SECOND)),
    (Situation(problem=MISSING, pushed=2 * MINUTE), completes(5 * MINUTE)),
    (Situation(problem=MISSING, pushed=9 * HOUR), completes(45 * MINUTE)),
    (Situation(problem=MISSING, pushed=25 * HOUR), FINAL),
    (Situation(problem=MISSING, asked=LIMIT), completes(5 * MINUTE)),  # all waiting ends with the limit
    (Situation(problem=MISSING, was_sent=True), completes(5 * MINUTE)),
    (Situation(problem=MISSING, is_configured=False), waits("forge_behind", 15 * SECOND)),
    (Situation(problem=MISSING, pushed=25 * HOUR, asked=SECOND), FINAL),  # a replay makes an old commit no news
    # A forge that is down is asked again every 15 s, up to the limit; then the release goes out and is completed.
    (Situation(problem=DOWN), waits("forge_unreachable", 15 * SECOND)),
    (Situation(problem=DOWN, asked=LIMIT * 0.9 - 15 * SECOND), waits("forge_unreachable", 15 * SECOND)),
    (Situation(problem=DOWN, asked=LIMIT * 0.9 - 14 * SECOND), completes(5 * MINUTE)),
    (Situation(problem=DOWN, pushed=9 * HOUR, asked=SECOND), waits("forge_unreachable", 15 * SECOND)),  # a replay counts anew
    (Situation(problem=DOWN, was_sent=True), completes(5 * MINUTE)),
    (Situation(problem=DOWN, asked=HOUR, was_sent=True), completes(5 * MINUTE)),
    (Situation(problem=DOWN, asked=6 * HOUR, was_sent=True), completes(30 * MINUTE)),
    (Situation(problem=DOWN, asked=24 * HOUR), completes(HOUR)),
    (Situation(problem=DOWN, asked=24 * HOUR + SECOND), FINAL),
    (Situation(problem=DOWN, asked=24 * HOUR + SECOND, was_sent=True), FINAL),
    # When the pushes received give the whole range, nobody waits for a forge that is down.
    (Situation(problem=DOWN, is_whole=True), completes(5 * MINUTE)),
    # A forge that answered until the time was used up is asked on at once.
    (Situation(problem=DOWN, is_continuing=True), waits("forge_unreachable", SECOND)),
    (Situation(problem=DOWN, asked=LIMIT, is_continuing=True), completes(SECOND)),
    (Situation(problem=DOWN, was_sent=True, is_continuing=True), completes(SECOND)),
    (Situation(problem=DOWN, was_sent=True, is_continuing=True, is_configured=False), completes(SECOND)),
    (Situation(problem=DOWN, asked=25 * HOUR, is_continuing=True), FINAL),
    # A forge that nobody configured is asked, never waited for.
    (Situation(problem=DOWN, is_configured=False), completes(5 * MINUTE)),
    (Situation(problem=DOWN, is_configured=False, is_whole=True), completes(5 * MINUTE)),
    (Situation(problem=DOWN, is_configured=False, asked=25 * HOUR), FINAL),
    # A rate limit says when it ends: wait until then if that is within the limit, else complete the release then.
    (Situation(problem=limited(3 * MINUTE)), waits("rate_limited", 3 * MINUTE)),
    (Situation(problem=limited(8 * MINUTE)), waits("rate_limited", 8 * MINUTE)),
    (Situation(problem=limited(9 * MINUTE)), completes(9 * MINUTE)),  # a tenth of the limit is kept for the sending
    (Situation(problem=limited(HOUR)), completes(HOUR)),
    (Situation(problem=limited(3 * MINUTE), asked=8 * MINUTE), completes(3 * MINUTE)),
    (Situation(problem=limited(3 * MINUTE), is_whole=True), waits("rate_limited", 3 * MINUTE)),
    (Situation(problem=limited(3 * MINUTE), was_sent=True), completes(3 * MINUTE)),
    (Situation(problem=limited(3 * MINUTE), is_configured=False), completes(3 * MINUTE)),
    (Situation(problem=limited(3 * MINUTE), asked=25 * HOUR), FINAL),
]


@pytest.mark.parametrize(("situation", "wanted"), TABLE)
def test_what_is_done_when_the_forge_does_not_answer(situation: Situation, wanted: tuple[str, str, timedelta]) -> None:
    assert outcome(situation.decide()) == wanted


@pytest.mark.parametrize(("situation", "wanted"), TABLE)
def test_the_reason_is_the_sentence_of_the_problem(situation: Situation, wanted: tuple[str, str, timedelta]) -> None:
    decision = situation.decide()
    said = decision.waiting["detail"] if isinstance(decision, Snooze) else decision.why
    assert said == str(situation.problem)


def test_a_wait_says_until_when_in_the_form_of_the_api() -> None:
    decision = Situation(problem=DOWN).decide()
    assert isinstance(decision, Snooze)
    assert decision.waiting == {"code": "forge_unreachable", "detail": "down", "until": "2026-03-02T12:00:15Z"}


AGES = st.timedeltas(timedelta(0), 72 * HOUR)
PROBLEMS = st.sampled_from([DOWN, MISSING, REFUSED, ODD]) | st.timedeltas(SECOND, 48 * HOUR).map(limited)
SITUATIONS = st.builds(
    Situation,
    problem=PROBLEMS,
    pushed=AGES,
    asked=AGES,
    is_configured=st.booleans(),
    was_sent=st.booleans(),
    is_whole=st.booleans(),
    is_continuing=st.booleans(),
)


@given(SITUATIONS)
@examples(300)
def test_no_job_waits_beyond_the_limit_or_asks_about_a_release_for_more_than_a_day(situation: Situation) -> None:
    decision = situation.decide()
    if isinstance(decision, Snooze):
        assert decision.at > NOW
        assert decision.at - (NOW - situation.asked) <= LIMIT * 0.9
    elif decision.complete_at is not None:
        assert decision.complete_at > NOW
        assert min(situation.asked, situation.pushed) <= 24 * HOUR or situation.problem is REFUSED


@given(SITUATIONS)
@examples(300)
def test_no_job_waits_whose_release_was_sent_and_only_for_a_lagging_api_where_nobody_configured_the_forge(
    situation: Situation,
) -> None:
    if situation.was_sent or (not situation.is_configured and situation.problem is not MISSING):
        assert isinstance(situation.decide(), SendPartial)

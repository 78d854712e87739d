"""When a target is paused, probed and trusted again: the state machine as a table, and what holds on every path."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.domain.target_health import (
    Health,
    Seen,
    Sign,
    TargetState,
    after_attempt,
    begin_probe,
    is_to_be_asked,
    lose_probe,
    pause_by_hand,
    pause_length,
)
from tests.builders import NOW, examples

SECOND, HOUR = timedelta(seconds=1), timedelta(hours=1)
WELL, ILL, NONE = Seen(Sign.WELL), Seen(Sign.ILL, "503"), Seen(Sign.NONE)
BARRED = Seen(Sign.BARRED, "401")


def ok(failures: int = 0) -> Health:
    return Health(failures=failures)


def paused(seconds: float, failures: int = 5, detail: str | None = "503") -> Health:
    return Health(
        state=TargetState.PAUSED,
        reason="target_paused",
        detail=detail,
        failures=failures,
        paused_until=NOW + seconds * SECOND,
    )


def barred(failures: int = 0) -> Health:
    return Health(state=TargetState.PAUSED, reason="target_auth", detail="401", failures=failures)


def probing(failures: int = 5) -> Health:
    return Health(
        state=TargetState.PROBING,
        reason="target_paused",
        detail="503",
        failures=failures,
        paused_until=NOW,
        probe_job="probe",
    )


def asked(wait: timedelta) -> Seen:
    return Seen(Sign.ILL, "503", wait)


@pytest.mark.parametrize(
    ("before", "seen", "job", "after"),
    [
        # Passing failures: the fifth in a row pauses; a success, or a refusal of one release, starts the count anew.
        (ok(), ILL, "a", ok(1)),
        (ok(3), ILL, "a", ok(4)),
        (ok(4), ILL, "a", paused(5)),
        (ok(4), WELL, "a", ok()),
        (ok(4), NONE, "a", ok(4)),
        # The target may ask for a longer pause with Retry-After, for an hour at most, and only once it is paused.
        (ok(0), asked(HOUR), "a", ok(1)),
        (ok(4), asked(90 * SECOND), "a", paused(90)),
        (ok(4), asked(SECOND), "a", paused(5)),
        (ok(4), asked(-HOUR), "a", paused(5)),
        (ok(4), asked(HOUR), "a", paused(3600)),
        (ok(4), asked(9 * HOUR), "a", paused(3600)),
        # 401 or 403 pauses at once, until a person acts; the failures so far are kept.
        (ok(), BARRED, "a", barred()),
        (ok(2), BARRED, "a", barred(2)),
        (paused(5), BARRED, "a", barred(5)),
        # A pause that only a person ends is overwritten by nothing, not even by a 401.
        (pause_by_hand(), BARRED, "a", pause_by_hand()),
        (pause_by_hand(), WELL, "a", pause_by_hand()),
        (pause_by_hand(), ILL, "a", pause_by_hand()),
        (barred(), WELL, "a", barred()),
        # While paused, jobs that were already under way change nothing.
        (paused(5), WELL, "a", paused(5)),
        (paused(5), ILL, "a", paused(5)),
        (paused(5), NONE, "a", paused(5)),
        # Only the probe's own end decides while probing.
        (probing(), WELL, "a", probing()),
        (probing(), ILL, "a", probing()),
        (probing(), WELL, "probe", ok()),
        (probing(), ILL, "probe", paused(10, 6)),
        (probing(8), ILL, "probe", paused(60, 9)),
        (probing(), asked(HOUR), "probe", paused(3600, 6)),
        (probing(), BARRED, "probe", barred(5)),
        (probing(), BARRED, "a", barred(5)),
        # A probe that never reached the target leaves its place to another job at once.
        (probing(), NONE, "probe", paused(0)),
        (probing(), NONE, "a", probing()),
    ],
)
def test_the_health_after_an_attempt(before: Health, seen: Seen, job: str, after: Health) -> None:
    assert after_attempt(before, seen, job_id=job, now=NOW) == after


FIVE = ("v1", "v2", "v3", "v4", "v5")
CAREFUL = Health(
    detail="it answers, but 5 releases in a row failed: it gets one job at a time until one succeeds",
    failures=5,
    failed=FIVE,
    is_careful=True,
)


def failed(release: str, answers: bool | None = None) -> Seen:
    return Seen(Sign.ILL, "503", release=release, answers=answers)


@pytest.mark.parametrize(
    ("before", "seen", "job", "after"),
    [
        # Of one release only the first failure counts, so one that the target never takes pauses nothing.
        (Health(failures=4, failed=FIVE[:4]), failed("v4"), "a", Health(failures=4, failed=FIVE[:4])),
        (ok(), failed("v1"), "a", Health(failures=1, failed=("v1",))),
        # The fifth release: a target that answers a cheap question is sent one job at a time, another one is paused.
        (Health(failures=4, failed=FIVE[:4]), failed("v5", answers=True), "a", CAREFUL),
        (Health(failures=4, failed=FIVE[:4]), failed("v5", answers=False), "a", replace(paused(5), failed=FIVE)),
        (Health(failures=4, failed=FIVE[:4]), failed("v5"), "a", replace(paused(5), failed=FIVE)),
        # Each failed probe counts, also of a release that failed before; its answer decides between the two as well.
        (replace(probing(), failed=FIVE), failed("v5"), "probe", replace(paused(10, 6), failed=FIVE)),
        (replace(probing(), failed=FIVE), failed("v5", answers=True), "probe", CAREFUL),
        # The newest five are remembered; one success forgets them all.
        (replace(probing(), failed=FIVE), failed("v6"), "probe", replace(paused(10, 6), failed=(*FIVE[1:], "v6"))),
        (CAREFUL, WELL, "a", ok()),
        (CAREFUL, failed("v5", answers=True), "a", CAREFUL),
    ],
)
def test_a_target_that_is_down_is_told_from_releases_that_it_never_takes(
    before: Health, seen: Seen, job: str, after: Health
) -> None:
    assert after_attempt(before, seen, job_id=job, now=NOW) == after


@pytest.mark.parametrize(
    ("health", "seen", "job", "is_asked"),
    [
        (ok(4), ILL, "a", True),  # the next failure would pause it
        (ok(3), ILL, "a", False),
        (ok(4), WELL, "a", False),
        (ok(4), BARRED, "a", False),
        (ok(4), asked(SECOND), "a", False),  # a rate limit says enough
        (Health(failures=4, failed=FIVE[:4]), failed("v4"), "a", False),
        (Health(failures=4, failed=FIVE[:4]), failed("v5"), "a", True),
        (CAREFUL, failed("v5"), "a", True),
        (probing(), ILL, "probe", True),
        (probing(), ILL, "a", False),
        (paused(5), ILL, "a", False),
        (pause_by_hand(), ILL, "a", False),
    ],
)
def test_a_target_is_asked_only_before_a_failure_would_pause_it(health: Health, seen: Seen, job: str, is_asked: bool) -> None:
    assert is_to_be_asked(health, seen, job) is is_asked


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (ok(), ok()),
        (ok(4), ok(4)),
        (paused(1), paused(1)),
        (paused(0), replace(paused(0), state=TargetState.PROBING, probe_job="new")),
        (paused(-9), replace(paused(-9), state=TargetState.PROBING, probe_job="new")),
        (pause_by_hand(), pause_by_hand()),
        (barred(), barred()),
        (probing(), probing()),
    ],
)
def test_one_job_probes_once_the_pause_is_over(before: Health, after: Health) -> None:
    assert begin_probe(before, "new", NOW) == after


@pytest.mark.parametrize(
    ("before", "job", "after"),
    [
        (ok(2), "probe", ok(2)),
        (paused(5), "probe", paused(5)),
        (pause_by_hand(), "probe", pause_by_hand()),
        (probing(), "a", probing()),
        (probing(), "probe", paused(0)),
    ],
)
def test_a_probe_that_cannot_end_is_given_up(before: Health, job: str, after: Health) -> None:
    assert lose_probe(before, job, NOW) == after


@pytest.mark.parametrize(("failures", "seconds"), [(0, 5), (5, 5), (6, 10), (7, 20), (8, 40), (9, 60), (14, 60), (10_000, 60)])
def test_pauses_double_up_to_a_minute(failures: int, seconds: int) -> None:
    assert pause_length(failures) == seconds * SECOND


@dataclass(frozen=True)
class Step:
    """Something that happens without a person: an attempt ends, a job is elected as probe, the probe is given up."""

    after: timedelta
    seen: Seen | None
    job: str
    gives_up: bool = False

    def apply(self, health: Health, now: datetime) -> Health:
        if self.seen is not None:
            return after_attempt(health, self.seen, job_id=self.job, now=now)
        return lose_probe(health, self.job, now) if self.gives_up else begin_probe(health, self.job, now)


SEEN = st.builds(
    Seen,
    st.sampled_from(Sign),
    st.none(),
    st.none() | st.timedeltas(-HOUR, 3 * HOUR),
    st.none() | st.sampled_from(FIVE),
    st.none() | st.booleans(),
)
STEPS = st.builds(
    Step,
    st.sampled_from([timedelta(0), SECOND, 5 * SECOND, 70 * SECOND, 2 * HOUR]),
    SEEN | st.just(ILL) | st.none(),
    st.sampled_from(["a", "b"]),
    st.booleans(),
)
STARTS = st.sampled_from([ok(), ok(4), paused(5), paused(3600), barred(), pause_by_hand(), replace(probing(), probe_job="a")])


@given(STARTS, st.lists(STEPS, max_size=20))
@examples(500)
def test_no_path_leaves_paused_before_its_time_and_a_pause_without_one_is_left_to_a_person(
    health: Health, steps: list[Step]
) -> None:
    now = NOW
    for step in steps:
        now += step.after
        before, health = health, step.apply(health, now)
        if before.state is not TargetState.PAUSED:
            continue
        if before.paused_until is None:
            assert health == before
        elif health.state is TargetState.PAUSED:
            assert health.paused_until is None or health.paused_until >= before.paused_until
        else:
            assert now >= before.paused_until
            assert health.state is TargetState.PROBING  # never back to `ok` without one probe


@given(STARTS, st.lists(STEPS, max_size=20))
@examples(500)
def test_no_automatic_pause_is_longer_than_an_hour_and_every_state_is_whole(health: Health, steps: list[Step]) -> None:
    now = NOW
    for step in steps:
        now += step.after
        health = step.apply(health, now)
        if health.paused_until is not None:
            assert health.paused_until - now <= HOUR
        assert (health.probe_job is not None) == (health.state is TargetState.PROBING)
        assert (health.reason is None) == (health.state is TargetState.OK)
        assert health.state is not TargetState.OK or health.is_careful or health.failures < 5

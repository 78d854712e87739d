"""Targets that are ill: when one is paused, what waits, who probes it, and the pace that all workers keep together."""

from __future__ import annotations

import threading
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx2
import pytest
import sqlalchemy as sa
from sqlalchemy.engine import Engine

from shared.domain import attempt_end
from shared.domain.target_health import Health, Seen, Sign, TargetState
from shared.ledger import claims, job_transitions, target_states
from shared.ledger.contributions import Contribution, contribute
from shared.ledger.tables import jobs as job_table
from shared.ledger.tables import target_states as table
from tests.builders import commit
from tests.ledger_rows import NOW, accept, claim, fail, make_push, make_work, row, succeed
from tests.target import Target
from tests.worker_run import JSON, history, make_due, rules, runner
from tests.worker_run import accept as accept_tag
from worker.jobs.retry_policy import RetryPolicy
from worker.sweeper.dispatcher import Feeder


def accept_one(engine: Engine, n: int) -> str:
    """The n-th tag, one millisecond after the one before, for a release of its own."""
    moment = NOW + timedelta(milliseconds=n)
    return accept(engine, push=make_push(f"refs/tags/v{n}"), work=(make_work(version=f"v{n}"),), now=moment).jobs[0]


ILL = Seen(Sign.ILL, "503")


def record(engine: Engine, job_id: str, seen: Seen, now: datetime = NOW) -> Health:
    with engine.begin() as connection:
        return target_states.record(connection, "default", job_id, seen, now=now)[1]


def make_ill(engine: Engine, now: datetime = NOW) -> None:
    for _ in range(5):
        record(engine, "some job", ILL, now)


def choose(engine: Engine, now: datetime) -> list[str]:
    feeder = Feeder(engine, {"default": 20.0})
    return feeder.choose(feeder.waiting(), now=now, until=now, room=100)


def test_a_job_of_a_paused_target_is_not_claimed_and_spends_nothing(engine: Engine) -> None:
    job_id = accept(engine).jobs[0]
    make_ill(engine)
    assert claim(engine, job_id) is None
    assert (row(engine, job_id).status, row(engine, job_id).attempts) == ("queued", 0)


def test_a_success_in_between_begins_the_count_anew(engine: Engine) -> None:
    for _ in range(4):
        record(engine, "a", ILL)
    record(engine, "a", Seen(Sign.WELL))
    assert record(engine, "a", ILL).state is TargetState.OK


def test_of_many_failures_at_once_each_is_counted(engine: Engine) -> None:
    threads = [threading.Thread(target=record, args=(engine, str(n), ILL)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with engine.begin() as connection:
        assert target_states.find(connection)["default"].failures == 4


def test_while_paused_nobody_is_knocked_for_then_exactly_one_probe_then_all(engine: Engine) -> None:
    ids = [accept_one(engine, n) for n in range(3)]
    make_ill(engine)
    assert choose(engine, NOW + timedelta(seconds=4)) == []
    later = NOW + timedelta(seconds=20)
    (probe,) = choose(engine, later)
    assert probe == ids[0]
    assert choose(engine, later) == [probe], "the same one again, until its message has been stamped"
    assert [claim(engine, job_id, later) is not None for job_id in ids] == [True, False, False]
    assert choose(engine, later) == [], "the probe is under way"
    assert record(engine, probe, Seen(Sign.WELL), later).state is TargetState.OK
    assert choose(engine, later) == ids[1:]


def test_a_failed_probe_pauses_for_twice_as_long_and_the_next_is_another_job(engine: Engine) -> None:
    ids = [accept_one(engine, n) for n in range(2)]
    make_ill(engine)
    later = NOW + timedelta(seconds=20)
    assert choose(engine, later) == ids[:1]
    job = claim(engine, ids[0], later)
    assert job is not None
    with engine.begin() as connection:
        ended = attempt_end.retried(at=later + timedelta(hours=1), reason=None, error="503", http_status=503)
        job_transitions.end(connection, job.id, 1, ended, now=later)
    assert record(engine, ids[0], ILL, later).paused_until == later + timedelta(seconds=10)
    assert choose(engine, later + timedelta(seconds=10)) == ids[1:]


def test_two_sweepers_elect_one_probe(engine: Engine) -> None:
    for n in range(2):
        accept_one(engine, n)
    make_ill(engine)
    later = NOW + timedelta(seconds=20)
    assert choose(engine, later) == choose(engine, later)


def test_a_probe_that_was_cancelled_is_replaced(engine: Engine) -> None:
    ids = [accept_one(engine, n) for n in range(2)]
    make_ill(engine)
    later = NOW + timedelta(seconds=20)
    assert choose(engine, later) == ids[:1]
    with engine.begin() as connection:
        assert job_transitions.cancel(connection, ids[0], now=later)
    choose(engine, later)
    assert choose(engine, later) == ids[1:]


def test_paused_by_a_person_it_stays_so_until_a_person_resumes_it(engine: Engine) -> None:
    job_id = accept(engine).jobs[0]
    with engine.begin() as connection:
        target_states.pause(connection, "default", now=NOW)
    later = NOW + timedelta(days=30)
    assert record(engine, "other", Seen(Sign.WELL), later).state is TargetState.PAUSED
    assert choose(engine, later) == []
    with engine.begin() as connection:
        target_states.resume(connection, "default", now=later)
    assert choose(engine, later) == [job_id]


def test_another_target_is_not_touched(engine: Engine) -> None:
    make_ill(engine)
    job_id = accept(engine, work=(make_work("eu"),)).jobs[0]
    assert claim(engine, job_id) is not None


@pytest.mark.parametrize(("status", "hint"), [(401, "check T"), (403, "project:releases")])
def test_a_refused_token_pauses_the_target_and_fails_no_job(
    engine: Engine, http: httpx2.Client, target: Target, status: int, hint: str
) -> None:
    target.answers = [(status, JSON, b"{}")]
    in_force = rules(target.url)
    first, second = accept_tag(engine, in_force), accept_tag(engine, in_force, "v2.0.0")
    runner(engine, http, in_force).run([first, second])
    met = row(engine, first)
    assert [met.status, row(engine, second).status] == ["retrying", "queued"]
    assert (met.waiting["code"], met.waiting["until"], met.attempts_allowed) == (
        "target_auth",
        None,
        job_transitions.BUDGET + 1,
    )
    assert hint in met.waiting["detail"]
    with engine.begin() as connection:
        health = target_states.find(connection)["main"]
    assert (health.state, health.reason, health.paused_until) == ("paused", "target_auth", None)
    assert hint in str(health.detail)
    assert len(target.posts) == 1
    assert Feeder(engine, {"main": 20.0}).choose(["main"], now=datetime.now(UTC), until=datetime.now(UTC), room=9) == []
    with engine.begin() as connection:
        target_states.resume(connection, "main", now=datetime.now(UTC))
    now = datetime.now(UTC) + timedelta(seconds=11)
    assert sorted(Feeder(engine, {"main": 20.0}).choose(["main"], now=now, until=now, room=9)) == sorted([first, second])
    runner(engine, http, in_force).run([first, second])
    assert [row(engine, job_id).status for job_id in (first, second)] == ["succeeded", "succeeded"]


def test_a_page_that_answers_403_pauses_the_target_for_a_time_only(engine: Engine, http: httpx2.Client, target: Target) -> None:
    target.get_answer = (403, {"Content-Type": "text/html"}, b"<title>Access denied</title>")
    target.answers = [target.get_answer] * 5
    in_force = rules(target.url)
    ids = [accept_tag(engine, in_force, f"v{n}") for n in range(5)]
    runner(engine, http, in_force).run(ids)
    assert {row(engine, job_id).status for job_id in ids} == {"retrying"}
    assert '"Access denied"' in row(engine, ids[0]).error
    with engine.begin() as connection:
        health = target_states.find(connection)["main"]
    assert (health.state, health.reason, health.paused_until is None) == ("paused", "target_paused", False)


def settle(engine: Engine, run: Any, target: str = "main", *, sweeps: int) -> None:
    """This many sweeps of the sweeper, two seconds apart, each job that it chose run at once."""
    feeder, start = Feeder(engine, {"main": 20.0}), datetime.now(UTC)
    for sweep in range(sweeps):
        now = start + timedelta(seconds=2 * sweep)
        run.run(feeder.choose([target], now=now, until=now, room=50))


def test_releases_that_never_succeed_hold_up_no_other(engine: Engine, http: httpx2.Client, target: Target) -> None:
    bad = [f"v{n}.0.0" for n in range(8)]
    target.never = set(bad)
    in_force = rules(target.url)
    ids = [accept_tag(engine, in_force, version) for version in bad]
    healthy = accept_tag(engine, in_force, "v9.0.0", repository="acme/other")
    run = runner(engine, http, in_force, policy=RetryPolicy(first=timedelta(0), longest=timedelta(0)))
    run.run([*ids, healthy])
    settle(engine, run, sweeps=1)
    assert row(engine, healthy).status == "succeeded"
    with engine.begin() as connection:
        health = target_states.find_one(connection, "main")
    assert (health.state, health.paused_until) == ("ok", None), "the target answers, so it is not paused"
    assert [path for path in target.gets if "releases/?" in path], "it was asked before"
    settle(engine, run, sweeps=8 * job_transitions.BUDGET)
    for job_id in ids:
        ended = row(engine, job_id)
        assert (ended.status, ended.reason, ended.attempts) == ("failed", "attempts_exhausted", job_transitions.BUDGET)
        assert "Internal Error" in ended.error


def test_a_target_that_fails_at_everything_is_paused(engine: Engine, http: httpx2.Client, target: Target) -> None:
    target.is_down = True
    in_force = rules(target.url)
    ids = [accept_tag(engine, in_force, f"v{n}.0.0") for n in range(8)]
    runner(engine, http, in_force).run(ids)
    with engine.begin() as connection:
        health = target_states.find_one(connection, "main")
    assert (health.state, health.reason, len(target.posts)) == ("paused", "target_paused", 5)


def test_while_a_target_is_careful_it_has_one_job_at_a_time_the_least_suspect_first(engine: Engine) -> None:
    first = accept(engine, push=make_push("refs/tags/v1"), delivery_id="d-1").jobs[0]
    second = accept(engine, push=make_push("refs/tags/v2"), delivery_id="d-2").jobs[0]
    third = accept(engine, push=make_push("refs/tags/v3"), delivery_id="d-3").jobs[0]
    with engine.begin() as connection:
        connection.execute(job_table.update().where(job_table.c.id == first).values(status="retrying", error="500"))
        connection.execute(job_table.update().where(job_table.c.id == third).values(repository="acme/other"))
        for n in range(5):
            seen = Seen(Sign.ILL, "500", release=f"v{n}", answers=True if n == 4 else None)
            target_states.record(connection, "default", "j", seen, now=NOW)
        assert target_states.find_one(connection, "default").is_careful
    later = NOW + timedelta(minutes=1)
    chosen = []
    for _ in range(3):
        (job_id,) = choose(engine, later)
        chosen.append(job_id)
        job = claim(engine, job_id, later)
        assert job is not None
        assert choose(engine, later) == []
        assert [claim(engine, other, later) for other in (first, second, third) if other not in chosen] == [None] * (
            3 - len(chosen)
        )
        assert fail(engine, job, later)
    assert chosen == [third, second, first]


def accept_versions(engine: Engine, *versions: str, **work: Any) -> list[str]:
    """A job for each, of one repository."""
    return [
        accept(engine, push=make_push(f"refs/tags/{name}"), work=(make_work(version=name)._replace(**work),)).jobs[0]
        for name in versions
    ]


def bring_commits(engine: Engine, version: str) -> None:
    """A job of acme/shop has sent its commits."""
    own = Contribution(
        target="default",
        version=version,
        repository_key="github:acme/shop",
        full_name="acme/shop",
        commits=[commit()],
        ref=None,
        is_first=True,
    )
    with engine.begin() as connection:
        contribute(connection, own, NOW)


def test_a_repository_that_is_new_to_the_target_gets_one_job_at_a_time_until_it_has_commits_there(engine: Engine) -> None:
    first, second, third = accept_versions(engine, "v1", "v2", "v3")
    elsewhere = accept(engine, push=make_push("refs/tags/v1"), work=(make_work("eu"),), delivery_id="d-4").jobs[0]
    job = claim(engine, first)
    assert job is not None
    assert job.is_first_contact
    assert claim(engine, second) is None, "the target may not know the repository yet"
    assert claim(engine, elsewhere) is not None, "another target is another matter"
    bring_commits(engine, "v1")  # a deploy may be unclear, or commits be missing: the release is there all the same
    found = claim(engine, second)
    assert found is not None
    assert not found.is_first_contact
    assert claim(engine, third) is not None, "from now on as many as there are workers"


def test_a_release_without_commits_is_no_first_contact(engine: Engine) -> None:
    first, second = accept_versions(engine, "v1", "v2", set_commits="skip")
    job = claim(engine, first)
    assert job is not None
    assert not job.is_first_contact
    assert claim(engine, second) is not None, "nobody makes a repository of it"
    assert succeed(engine, job)
    third, fourth = accept_versions(engine, "v3", "v4")
    assert claim(engine, third) is not None
    assert claim(engine, fourth) is None, "that it succeeded made the repository known to nobody"


def test_of_claims_at_the_same_moment_one_is_the_first_contact(engine: Engine) -> None:
    """Each thread commits once all others have claimed, or wait for it."""
    ids = accept_versions(engine, *(f"v{number}" for number in range(4)))
    claimed: list[str] = []

    def is_everybody_else_waiting() -> bool:
        if engine.dialect.name == "sqlite":
            return True  # it has one writer
        statement = sa.text("SELECT count(*) FROM pg_locks WHERE NOT granted AND locktype = 'advisory'")
        with engine.connect() as connection:
            return len(claimed) + int(connection.execute(statement).scalar_one()) == len(ids)

    def run(job_id: str) -> None:
        try:
            with engine.begin() as connection:
                if claims.claim(connection, job_id, now=NOW) is not None:
                    claimed.append(job_id)
                    while not is_everybody_else_waiting():
                        pass
        except claims.JustBegun:
            pass

    threads = [threading.Thread(target=run, args=(job_id,), daemon=True) for job_id in ids]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert [row(engine, job_id).status for job_id in ids].count("running") == 1
    assert len(claimed) == 1


def test_a_repository_that_the_target_lists_is_known(engine: Engine, http: httpx2.Client, target: Target) -> None:
    target.get_answer = (200, JSON, b'[{"name": "acme/shop"}]')
    target.answers = [(400, JSON, b"{}")]
    in_force = rules(target.url)
    ids = [accept_tag(engine, in_force, f"v{n}") for n in range(3)]
    runner(engine, http, in_force).run(ids[:1])
    assert row(engine, ids[0]).status == "failed"
    assert [claim(engine, job_id, datetime.now(UTC)) is not None for job_id in ids[1:]] == [True, True]


def test_failures_of_one_release_count_once(engine: Engine) -> None:
    for _ in range(9):
        assert record(engine, "a", Seen(Sign.ILL, "500", release="v1")).state is TargetState.OK


def test_five_answers_of_429_pause_for_what_the_last_asked(
    engine: Engine,
    http: httpx2.Client,
    target: Target,
) -> None:
    target.answers = [(429, {"X-Sentry-Rate-Limit-Reset": str(int(datetime.now(UTC).timestamp()) + 40)}, b"{}")] * 5
    in_force = rules(target.url)
    ids = [accept_tag(engine, in_force, f"v{n}") for n in range(6)]
    runner(engine, http, in_force).run(ids)
    with engine.begin() as connection:
        until = target_states.find(connection)["main"].paused_until
    assert until is not None
    assert timedelta(seconds=30) < until - datetime.now(UTC) < timedelta(seconds=45)
    assert row(engine, ids[5]).attempts == 0


def test_a_refusal_of_one_release_is_a_sign_of_health(
    engine: Engine,
    http: httpx2.Client,
    target: Target,
) -> None:
    target.answers = [(503, JSON, b"{}"), (503, JSON, b"{}"), (400, JSON, b"{}")]
    in_force = rules(target.url)
    runner(engine, http, in_force).run([accept_tag(engine, in_force, f"v{n}") for n in range(3)])
    with engine.begin() as connection:
        assert target_states.find(connection)["main"].failures == 0


def test_an_outage_follows_the_schedule_and_everything_completes_after_it(
    engine: Engine,
    http: httpx2.Client,
    target: Target,
) -> None:
    """Ten minutes of outage in simulated time: only probes knock, at most one a pause."""
    target.get_answer = (503, JSON, b"{}")
    target.answers = [target.get_answer] * 1_000
    in_force = rules(target.url)
    ids = [accept_tag(engine, in_force, f"v{n}") for n in range(20)]
    run, feeder = runner(engine, http, in_force), Feeder(engine, {"main": 20.0})
    run.run(ids)
    assert len(target.posts) == 5, "the target was paused after five"
    start = datetime.now(UTC)
    for seconds in range(0, 600, 5):
        now = start + timedelta(seconds=seconds)
        for job_id in feeder.choose(feeder.waiting(), now=now, until=now, room=100):
            make_due(engine, job_id)  # the worker's clock is real
            run.run([job_id])
            with engine.begin() as connection:  # what the worker wrote in real time, moved to the simulated one
                wait = connection.execute(sa.select(table.c.failures)).scalar_one()
                until = now + min(timedelta(seconds=60), timedelta(seconds=5) * 2 ** min(wait - 5, 5))
                connection.execute(table.update().values(paused_until=until))
                connection.execute(
                    job_table.update()
                    .where(job_table.c.id == job_id)
                    .values(next_attempt_at=now + timedelta(minutes=10), knock_at=now + timedelta(minutes=10))
                )
    probes = len(target.posts) - 5
    assert 8 <= probes <= 14, probes  # 5 + 10 + 20 + 40 + 60 + 60 ...
    target.answers, target.get_answer = [], None
    with engine.begin() as connection:
        connection.execute(table.update().values(paused_until=datetime.now(UTC)))
    for _ in range(3):
        with engine.begin() as connection:
            past = datetime.now(UTC) - timedelta(seconds=1)
            connection.execute(job_table.update().values(next_attempt_at=past, knock_at=past))
        run.run(feeder.choose(feeder.waiting(), now=datetime.now(UTC), until=datetime.now(UTC), room=100))
    assert {row(engine, job_id).status for job_id in ids} == {"succeeded"}
    assert max(item.number for job_id in ids for item in history(engine, job_id)) < job_transitions.BUDGET


def test_all_workers_together_keep_to_the_pace(engine: Engine) -> None:
    turns: list[float] = []
    barrier = threading.Barrier(4)

    def draw() -> None:
        barrier.wait()
        for _ in range(10):
            with engine.begin() as connection:
                wait = target_states.take_turn(connection, "default", pace=50.0, calls=1, now=NOW)
            assert wait is not None
            turns.append(wait)

    threads = [threading.Thread(target=draw) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    turns.sort()
    assert turns[:25] == [0.0] * 25, "an idle target may be sent half a second's worth at once"
    assert [round(turn, 3) for turn in turns[25:]] == [round(0.02 * n, 3) for n in range(15)] or turns[-1] < 0.35


def test_a_turn_too_far_off_is_not_waited_for_and_the_job_stays_untouched(engine: Engine) -> None:
    with engine.begin() as connection:
        for _ in range(10):
            target_states.take_turn(connection, "default", pace=1.0, calls=1, now=NOW)
        assert target_states.take_turn(connection, "default", pace=1.0, calls=1, now=NOW) is None


def test_a_slow_pace_leaves_jobs_queued_for_the_sweeper(
    engine: Engine,
    http: httpx2.Client,
    target: Target,
) -> None:
    in_force = rules(target.url)

    slow = replace(in_force, targets={"main": replace(in_force.targets["main"], pace=0.1)})
    ids = [accept_tag(engine, slow, f"v{n}") for n in range(3)]
    runner(engine, http, slow).run(ids)
    stored = [row(engine, job_id) for job_id in ids]
    assert [(item.status, item.attempts) for item in stored] == [("succeeded", 1), ("queued", 0), ("queued", 0)]
    assert stored[1].knock_at <= datetime.now(UTC)

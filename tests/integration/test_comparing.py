"""The sweeper's comparisons against the test forge: by request and by timer, held, stopped, taken over, and never twice."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx2
import pytest
import sqlalchemy as sa
from sqlalchemy.engine import Engine

from shared import reconcile as service
from shared.config.settings import ForgeSettings
from shared.domain.push import Repository
from shared.domain.rules import ReconcileRules
from shared.ledger import job_transitions, reconcile_runs
from shared.ledger.forge_limits import hold
from shared.ledger.reporting_tables import known_repositories
from shared.ledger.tables import jobs as job_table
from shared.reconcile import Comparer
from tests.builders import settings
from tests.forge import Built, Forge, History, reply, used_up
from tests.target import Target
from tests.worker_run import rules, runner
from worker.commits.forge_pool import Forges
from worker.sweeper import reconciler
from worker.sweeper.reconcile_schedule import Timer
from worker.sweeper.reconciler import Comparing

TAGS = ["v1.0.0", "v1.1.0", "v1.2.0", "v2.0.0"]
SHOP = Repository("github", "acme/shop")
EVERY = ReconcileRules(every=timedelta(hours=6), repositories=("github:acme/*",))
Make = Callable[..., Comparing]


@pytest.fixture
def built(tmp_path: Path) -> Built:
    made = History()
    made.line("c", 4)
    for number, tag in enumerate(TAGS):
        made.tag(tag, f"c{number + 1}", depth=number % 2)
    made.tag("latest", "c4")
    return made.build(tmp_path / "repository")


@pytest.fixture
def forge(built: Built) -> Iterator[Forge]:
    with Forge("github") as made:
        made.add("acme/shop", built.path)
        yield made


class Clock:
    """Now, and as much later as a test wants."""

    def __init__(self) -> None:
        self.later = timedelta(0)

    def __call__(self) -> datetime:
        return datetime.now(UTC) + self.later


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def make(engine: Engine, forge: Forge, target: Target, http: httpx2.Client, clock: Clock) -> Make:
    """A sweeper's part, as each process builds its own."""

    def build(every: ReconcileRules = EVERY, stopping: threading.Event | None = None) -> Comparing:
        event = stopping or threading.Event()
        forges = {"github": ForgeSettings(forge.url, "t", is_named=True)}
        known = settings(forges=forges, environ={"T": "s3cret"})
        comparer = Comparer(known, rules(target.url), engine, http, event)
        return Comparing(engine, comparer, Timer(engine, every), event, clock)

    return build


def known(engine: Engine, *keys: str) -> None:
    with engine.begin() as connection:
        for key in keys:
            provider, _, name = key.partition(":")
            values = {"key": key, "provider": provider, "repository": name, "pushes": []}
            connection.execute(known_repositories.insert().values(values))


def want(engine: Engine, clock: Clock, *, creates: bool = True) -> bool:
    with engine.begin() as connection:
        return reconcile_runs.want(connection, SHOP, most_tags=50, creates=creates, now=clock())


def row(engine: Engine) -> Any:
    with engine.begin() as connection:
        found = reconcile_runs.find(connection, SHOP)
    assert found is not None
    return found


def made_jobs(engine: Engine) -> list[Any]:
    with engine.begin() as connection:
        return list(connection.execute(sa.select(job_table).order_by(job_table.c.id)))


def tick(comparing: Comparing, clock: Clock) -> int:
    """One look of the sweeper's thread: what the timer wants, then everything that is due. How many comparisons."""
    comparing._timer.step(clock())
    number = 0
    while comparing.step():
        number += 1
    return number


def test_by_timer_four_tags_without_a_webhook_become_four_releases_and_a_second_look_makes_none(
    engine: Engine, make: Make, clock: Clock, forge: Forge, target: Target, http: httpx2.Client
) -> None:
    known(engine, "github:acme/shop", "github:other/shop", "gitlab:acme/shop")
    assert tick(make(), clock) == 1, "of the one repository that the globs name"
    assert [(job.ref.rpartition("/")[2], job.trigger) for job in made_jobs(engine)] == [(tag, "reconcile") for tag in TAGS]
    runner(engine, http, rules(target.url)).run([job.id for job in made_jobs(engine)])
    assert [body["version"] for _, body, _ in target.posts] == TAGS
    assert {job.status for job in made_jobs(engine)} == {"succeeded"}
    found = row(engine)
    assert (found.state, found.tags, found.missing, found.to_create, found.handled, found.queued) == ("done", 5, 4, 4, 4, 4)

    comparing = make()
    clock.later = timedelta(hours=1)
    assert tick(comparing, clock) == 0, "not yet"
    clock.later = timedelta(hours=7)
    assert tick(comparing, clock) == 1
    assert row(engine).missing == 0
    assert len(made_jobs(engine)) == 4
    assert len(target.posts) == 4


def test_the_timer_is_off_unless_it_is_configured(engine: Engine, make: Make, clock: Clock, forge: Forge) -> None:
    known(engine, "github:acme/shop")
    assert tick(make(ReconcileRules()), clock) == 0
    assert forge.total_calls == 0


def test_a_repository_named_in_full_is_compared_even_if_it_never_pushed(engine: Engine, make: Make, clock: Clock) -> None:
    named = ReconcileRules(every=timedelta(hours=6), repositories=("github:acme/shop",))
    assert tick(make(named), clock) == 1
    assert len(made_jobs(engine)) == 4


def test_several_sweepers_compare_once_and_make_each_job_once(engine: Engine, make: Make, clock: Clock, forge: Forge) -> None:
    known(engine, "github:acme/shop")
    sweepers = [make() for _ in range(3)]
    counted: list[int] = []
    threads = [threading.Thread(target=lambda one=one: counted.append(tick(one, clock))) for one in sweepers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(made_jobs(engine)) == 4
    asked = [one.target for one in forge.requests]
    assert len(asked) == len(set(asked)), "nothing was asked twice"
    assert row(engine).run == 1


def test_a_comparison_alone_makes_nothing_and_lists_what_is_missing(engine: Engine, make: Make, clock: Clock) -> None:
    assert want(engine, clock, creates=False)
    assert make().step()
    found = row(engine)
    assert (found.state, found.missing, found.to_create, made_jobs(engine)) == ("done", 4, 0, [])
    listed = reconcile_runs.entries_of(found)
    assert [one["tag"] for one in listed][:1] + [one["tag"] for one in listed if "why" in one] == ["v2.0.0", *TAGS[::-1]]
    assert [one["reason"] for one in listed if "reason" in one] == ["version_refused"]


def test_what_a_person_cancelled_the_timer_leaves_alone_and_a_person_may_have_again(
    engine: Engine, make: Make, clock: Clock, target: Target
) -> None:
    known(engine, "github:acme/shop")
    tick(make(), clock)
    for job in made_jobs(engine):
        with engine.begin() as connection:
            job_transitions.cancel(connection, job.id, now=clock())
    clock.later = timedelta(hours=7)
    tick(make(), clock)
    assert row(engine).missing == 4
    assert {job.status for job in made_jobs(engine)} == {"cancelled"}
    assert want(engine, clock)
    assert make().step()
    assert {job.status for job in made_jobs(engine)} == {"queued"}


def test_a_rate_limit_is_kept_to_and_written_down_for_the_jobs(engine: Engine, make: Make, clock: Clock, forge: Forge) -> None:
    want(engine, clock)
    forge.hold(3600, used_up)
    assert make().step()
    held, now = row(engine), clock()
    assert (held.state, held.tries) == ("wanted", 0)
    assert timedelta(minutes=55) < held.next_at - now < timedelta(minutes=65)
    assert "takes no more calls" in held.error
    calls = forge.total_calls
    clock.later = timedelta(minutes=10)
    assert not make().step(), "not due"
    want(engine, clock)  # an impatient person
    assert make().step()
    assert (row(engine).state, forge.total_calls) == ("wanted", calls), "the limit is in force: nobody is asked"


def test_a_hold_that_a_job_wrote_down_is_respected(
    engine: Engine, make: Make, clock: Clock, forge: Forge, http: httpx2.Client
) -> None:
    opened = Forges(http, {"github": ForgeSettings(forge.url, "t", is_named=True)}).open(Repository("github", "acme/shop"))
    assert opened is not None
    now = datetime.now(UTC)
    with engine.begin() as connection:
        hold(connection, opened.scope, now + timedelta(minutes=20), "used up")
    want(engine, clock)
    make().step()
    assert (row(engine).state, forge.total_calls) == ("wanted", 0)
    assert row(engine).next_at == now + timedelta(minutes=20)


def test_passing_faults_are_tried_again_later_and_then_told(engine: Engine, make: Make, clock: Clock, forge: Forge) -> None:
    want(engine, clock)
    forge.script.extend([reply({"message": "bad gateway"}, 502)] * 40)
    comparing, waits = make(), []
    for _ in range(reconcile_runs.TRIES):
        assert comparing.step()
        waits.append(row(engine).next_at - clock())
        clock.later += timedelta(hours=1)
    assert waits[0] < waits[1] < waits[2]
    assert row(engine).state == "failed"
    assert "502" in row(engine).error
    assert not comparing.step()
    forge.script.clear()
    assert want(engine, clock)
    assert comparing.step()
    assert (row(engine).state, row(engine).error) == ("done", None)


def test_a_repository_that_is_not_there_fails_with_a_sentence(engine: Engine, make: Make, clock: Clock, forge: Forge) -> None:
    forge.repositories.clear()
    want(engine, clock)
    make().step()
    assert row(engine).state == "failed"
    assert "no such repository" in row(engine).error


def test_a_sweeper_that_stops_midway_leaves_the_rest_to_the_next_one(
    engine: Engine, make: Make, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(service, "STEP", 1)
    stopping = threading.Event()
    first = make(stopping=stopping)
    monkeypatch.setattr(reconciler, "STEP_PAUSE", timedelta(minutes=1))
    want(engine, clock)
    thread = threading.Thread(target=first.step)
    thread.start()
    while not made_jobs(engine):
        assert thread.is_alive(), row(engine)
        thread.join(0.01)
    assert not want(engine, clock), "one is under way"
    stopping.set()
    thread.join()
    stopped = row(engine)
    assert (stopped.state, stopped.handled, len(made_jobs(engine))) == ("wanted", 1, 1)
    monkeypatch.setattr(reconciler, "STEP_PAUSE", timedelta(0))
    assert make().step()
    ended = row(engine)
    assert (ended.state, ended.handled, ended.queued, len(made_jobs(engine))) == ("done", 4, 3, 4)


def test_one_that_lost_its_lease_can_write_nothing(engine: Engine, make: Make, clock: Clock) -> None:
    want(engine, clock)
    now = datetime.now(UTC)
    with engine.begin() as connection:
        key = reconcile_runs.find_due(connection, now=now)
        assert key is not None
        dead = reconcile_runs.claim(connection, key, now=now)
        assert dead is not None
        assert reconcile_runs.claim(connection, key, now=now) is None, "it is taken"
    clock.later = timedelta(minutes=1)
    assert not make().step()
    clock.later = reconcile_runs.LEASE + timedelta(seconds=1)
    assert make().step()
    assert row(engine).state == "done"
    with engine.begin() as connection:
        assert not reconcile_runs.advance(connection, dead, handled=9, queued=9, now=now)
        assert not reconcile_runs.end(connection, dead, error="late", now=now)
    assert row(engine).error is None

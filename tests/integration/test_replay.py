"""Replays and exactly one effect: what a person may ask for again, and what stays done once whatever happens twice."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx2
import pytest
import sqlalchemy as sa
from sqlalchemy.engine import Engine

from shared.domain import attempt_end
from shared.domain.rules import Rules
from shared.errors import Conflict
from shared.ledger import audit, bulk_acts, idempotency, job_transitions
from shared.ledger.queries import lookup
from shared.ledger.rescue import rescue
from shared.ledger.retention import KEEP_DELIVERIES, KEEP_PAYLOADS, Retention
from shared.ledger.tables import attempts, deliveries, payloads
from shared.ledger.tables import jobs as job_table
from tests.ledger_rows import NOW, accept, claim, count, fail, make_push, make_work, row, succeed
from tests.target import Target
from tests.worker_run import accept as accept_tag
from tests.worker_run import history, make_due, rules, runner
from webhook.ops import replays


def replay_delivery(engine: Engine, delivery_id: str, in_force: Rules) -> list[str]:
    with engine.begin() as connection:
        found = lookup.find_delivery(connection, delivery_id)
        assert found is not None
        return replays.replay_delivery(connection, found, in_force, now=datetime.now(UTC))


def failed_job(engine: Engine, n: int, target_name: str = "default") -> str:
    work = (make_work(target_name, version=f"v{n}"),)
    job = claim(engine, accept(engine, push=make_push(f"refs/tags/v{n}"), work=work).jobs[0])
    assert job is not None
    assert fail(engine, job)
    return job.id


def at_once(*calls: Callable[[], object]) -> None:
    barrier = threading.Barrier(len(calls))

    def run(call: Callable[[], object]) -> None:
        barrier.wait()
        call()

    threads = [threading.Thread(target=run, args=(call,)) for call in calls]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def test_a_delivery_that_failed_is_decided_again_by_todays_rules(engine: Engine) -> None:
    old = rules("http://x.test")
    job_id = accept_tag(engine, old)
    job = claim(engine, job_id, datetime.now(UTC))
    assert job is not None
    fail(engine, job)
    today = rules("http://x.test", projects=("web",), release="shop@{tag}")
    assert replay_delivery(engine, str(job.delivery_id), today) == [job_id]
    stored = row(engine, job_id)
    assert (stored.status, stored.trigger, stored.version, stored.spec["projects"]) == (
        "queued",
        "replay",
        "shop@v1.0.0",
        ["web"],
    )


def test_a_delivery_whose_job_succeeded_makes_none(engine: Engine) -> None:
    in_force = rules("http://x.test")
    job = claim(engine, accept_tag(engine, in_force), datetime.now(UTC))
    assert job is not None
    succeed(engine, job)
    assert replay_delivery(engine, str(job.delivery_id), in_force) == []
    assert row(engine, job.id).status == "succeeded"


def test_a_delivery_that_no_rule_wanted_is_accepted_once_one_does(engine: Engine) -> None:
    unwanted = rules("http://x.test", refs=("refs/tags/x*",))
    with pytest.raises(IndexError):
        accept_tag(engine, unwanted)
    with engine.begin() as connection:
        ignored = connection.execute(sa.select(deliveries)).one()
    assert ignored.status == "ignored"
    (job_id,) = replay_delivery(engine, ignored.delivery_id, rules("http://x.test"))
    with engine.begin() as connection:
        now_accepted = connection.execute(sa.select(deliveries)).one()
    assert (now_accepted.status, now_accepted.jobs, now_accepted.reason) == ("accepted", [job_id], None)
    assert row(engine, job_id).trigger == "replay"


def test_a_new_target_gets_its_job_and_the_one_that_has_the_release_is_left_alone(engine: Engine) -> None:
    in_force = rules("http://x.test")
    job = claim(engine, accept_tag(engine, in_force), datetime.now(UTC))
    assert job is not None
    succeed(engine, job)
    (rule,) = in_force.rules
    both = replace(in_force, rules=(replace(rule, targets=("main", "eu")),))
    (made,) = replay_delivery(engine, str(job.delivery_id), both)
    assert row(engine, made).target == "eu"


def test_an_expired_payload_is_a_conflict_that_says_so(engine: Engine) -> None:
    in_force = rules("http://x.test")
    job_id = accept_tag(engine, in_force)
    with engine.begin() as connection:
        connection.execute(sa.delete(payloads))
    with pytest.raises(Conflict, match="expired"):
        replay_delivery(engine, row(engine, job_id).delivery_id, in_force)


def replay_all(engine: Engine, words: dict[str, str]) -> int:
    """Replay whatever these words match, two jobs a step. How many were queued."""
    with engine.begin() as connection:
        seq = audit.record(connection, door="cli", role="operator", action="jobs_replay", detail={"filter": words})
        matched = bulk_acts.count(connection, "replay", words, now=NOW)
        act = bulk_acts.begin(connection, seq, "replay", words, matched, now=NOW)
    while act.state == "running":
        with engine.begin() as connection:
            act = bulk_acts.step(connection, seq, now=NOW, limit=2)
    return act.handled


def test_bulk_replay_counts_first_then_queues_exactly_what_matched(engine: Engine) -> None:
    wanted = [failed_job(engine, n) for n in range(5)]
    other = failed_job(engine, 9, "eu")
    chosen = {"status": "failed", "target": "default"}
    with engine.begin() as connection:
        assert replays.count(connection, chosen) == 5
    assert replay_all(engine, chosen) == 5
    assert replay_all(engine, chosen) == 0
    assert {row(engine, job_id).status for job_id in wanted} == {"queued"}
    assert row(engine, other).status == "failed"


def test_of_many_replays_at_once_one_wins(engine: Engine) -> None:
    job_id = failed_job(engine, 1)
    won: list[bool] = []

    def one() -> None:
        with engine.begin() as connection:
            won.append(job_transitions.replay(connection, job_id, now=NOW))

    at_once(one, one, one, one)
    assert sorted(won) == [False, False, False, True]


def test_a_running_job_is_not_replayed(engine: Engine) -> None:
    job = claim(engine, accept(engine).jobs[0])
    assert job is not None
    with engine.begin() as connection:
        assert not job_transitions.replay(connection, job.id, now=NOW)
    assert replay_all(engine, {"target": "default"}) == 0


def test_the_same_key_acts_once_also_when_both_come_at_the_same_moment(engine: Engine) -> None:
    asked = idempotency.Request("POST /x", "key", b"{}")
    acted: list[int] = []
    got: list[dict[str, Any]] = []

    def act() -> dict[str, Any]:
        acted.append(1)
        return {"n": len(acted)}

    def one() -> None:
        with engine.begin() as connection:
            got.append(idempotency.once(connection, asked, act, now=NOW))

    at_once(one, one, one)
    assert (acted, got) == ([1], [{"n": 1}] * 3)
    with engine.begin() as connection, pytest.raises(Conflict, match="another query or body"):
        idempotency.once(connection, asked._replace(content=b"{ }"), act, now=NOW)
    with engine.begin() as connection:
        assert idempotency.once(connection, asked, act, now=NOW + timedelta(hours=25)) == {"n": 2}


def test_a_job_whose_workers_all_knock_at_once_makes_one_post(
    engine: Engine,
    http: httpx2.Client,
    target: Target,
) -> None:
    in_force = rules(target.url, environment="production")
    job_id = accept_tag(engine, in_force)
    workers = [runner(engine, http, in_force) for _ in range(4)]
    at_once(*(lambda worker=worker: worker.run([job_id, job_id]) for worker in workers))
    assert [path.rpartition("releases/")[2] for path, _, _ in target.posts] == ["", "v1.0.0/deploys/"]
    assert [item.outcome for item in history(engine, job_id)] == ["succeeded"]


def test_a_worker_whose_lease_was_taken_over_sends_no_second_deploy(
    engine: Engine,
    http: httpx2.Client,
    target: Target,
) -> None:
    in_force = rules(target.url, environment="production")
    job_id = accept_tag(engine, in_force)
    first = claim(engine, job_id, datetime.now(UTC))
    assert first is not None
    with engine.begin() as connection:
        rescue(connection, now=first.lease_until + timedelta(seconds=1))
    make_due(engine, job_id)
    runner(engine, http, in_force).run([job_id])
    with engine.begin() as connection:
        assert not job_transitions.note(connection, job_id, first.number, deploy={"state": "sending"}), (
            "so the late one stops here"
        )
    assert not succeed(engine, first)
    assert len([path for path, _, _ in target.posts if path.endswith("deploys/")]) == 1
    assert [item.outcome for item in history(engine, job_id)] == ["lost", "succeeded"]


def test_a_replay_sends_no_second_deploy(
    engine: Engine,
    http: httpx2.Client,
    target: Target,
) -> None:
    in_force = rules(target.url, environment="production")
    job_id = accept_tag(engine, in_force)
    run = runner(engine, http, in_force)
    run.run([job_id])
    with engine.begin() as connection:  # as if what followed the deploy had failed
        connection.execute(job_table.update().values(status="failed"))
        assert job_transitions.replay(connection, job_id, now=datetime.now(UTC))
    run.run([job_id])
    assert row(engine, job_id).status == "succeeded"
    assert len([path for path, _, _ in target.posts if path.endswith("deploys/")]) == 1


def test_a_stopping_worker_hands_back_what_it_holds_and_its_late_end_changes_nothing(
    engine: Engine,
    http: httpx2.Client,
    target: Target,
) -> None:
    job_id = accept_tag(engine, rules(target.url))
    job = claim(engine, job_id, datetime.now(UTC))
    assert job is not None
    with engine.begin() as connection:
        now = datetime.now(UTC)
        assert job_transitions.end(connection, job.id, job.number, attempt_end.handed_back(now), now=now)
    assert (row(engine, job_id).status, row(engine, job_id).attempts_allowed) == ("queued", job_transitions.BUDGET + 1)
    assert not succeed(engine, job)
    again = claim(engine, job_id, datetime.now(UTC))
    assert again is not None
    assert again.tried == 1
    assert [item.outcome for item in history(engine, job_id)] == ["held", None]


def test_retention_drops_payloads_then_all_of_what_is_finished_and_nothing_that_waits(engine: Engine) -> None:
    done = claim(engine, accept(engine).jobs[0])
    assert done is not None
    succeed(engine, done)
    failed_job(engine, 2)
    waiting = accept(engine, push=make_push("refs/tags/v3"), work=(make_work(version="v3"),)).jobs[0]
    with engine.begin() as connection:
        connection.execute(deliveries.update().values(to_log=False))
    assert Retention(engine).step(NOW + KEEP_PAYLOADS - timedelta(days=1)) == 0
    Retention(engine).step(NOW + KEEP_PAYLOADS + timedelta(days=1))
    assert count(engine, payloads) == 2, "that of the failed job and that of the waiting one stay"
    Retention(engine).step(NOW + KEEP_DELIVERIES + timedelta(days=1))
    assert [count(engine, table) for table in (deliveries, job_table, attempts)] == [1, 1, 0]
    assert row(engine, waiting).status == "queued"


def test_a_push_that_is_still_to_be_logged_is_never_forgotten(engine: Engine) -> None:
    job = claim(engine, accept(engine).jobs[0])
    assert job is not None
    succeed(engine, job)
    with engine.begin() as connection:
        connection.execute(deliveries.update().values(to_log=True))
    Retention(engine).step(NOW + KEEP_DELIVERIES * 2)
    assert (count(engine, payloads), count(engine, deliveries)) == (1, 1)


def test_retention_goes_on_behind_rows_that_must_stay(engine: Engine) -> None:
    for n in range(3):
        accept(engine, push=make_push(f"refs/tags/v{n}"), work=(make_work(version=f"v{n}"),))
    with engine.begin() as connection:
        connection.execute(deliveries.update().values(to_log=False))
        newest = connection.execute(sa.select(sa.func.max(deliveries.c.seq))).scalar_one()
        connection.execute(job_table.update().where(job_table.c.delivery_seq == newest).values(status="succeeded"))
    retention = Retention(engine)
    assert retention.step(NOW + KEEP_PAYLOADS + timedelta(days=1)) == 1
    assert count(engine, payloads) == 2


@pytest.mark.parametrize("verb", [job_transitions.cancel, job_transitions.replay])
def test_a_verb_on_a_job_that_is_not_there_changes_nothing(engine: Engine, verb: Any) -> None:
    with engine.begin() as connection:
        assert not verb(connection, "0" * 32, now=NOW)


def test_a_cancelled_job_can_be_replayed(engine: Engine) -> None:
    job_id = accept(engine).jobs[0]
    with engine.begin() as connection:
        assert job_transitions.cancel(connection, job_id, now=NOW)
        assert job_transitions.replay(connection, job_id, now=NOW)
    assert row(engine, job_id).status == "queued"

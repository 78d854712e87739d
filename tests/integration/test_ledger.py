"""The ledger's transitions on real databases: who may move a job, and who comes too late."""

from __future__ import annotations

import threading
from datetime import datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.engine import Engine

from shared.domain import attempt_end
from shared.domain.job_states import JobState
from shared.domain.push import Ignored
from shared.domain.rules import Decision
from shared.domain.webhook import Hook
from shared.ledger import claims, deliveries, due_jobs, job_transitions, refused_deliveries
from shared.ledger.queries import stats
from shared.ledger.rescue import has_expired_lease, rescue
from shared.ledger.tables import deliveries as delivery_table
from shared.ledger.tables import jobs as job_table
from shared.ledger.tables import metadata, payloads
from tests.ledger_rows import (
    NOW,
    SHA,
    accept,
    claim,
    count,
    fail,
    history,
    make_push,
    make_work,
    retry_later,
    row,
    succeed,
)


def _is_of_the_models(name: str | None, kind: str, _: object) -> bool:
    """Alembic's own table, and the one beside it that says what the newest schema needs of a program, are no models."""
    return kind != "table" or not str(name).startswith("alembic_version")


@pytest.mark.filterwarnings("ignore:.*expression-based index")
def test_migrations_make_exactly_the_tables_of_the_models(engine: Engine) -> None:
    from alembic.autogenerate import compare_metadata
    from alembic.migration import MigrationContext

    with engine.begin() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True, "include_name": _is_of_the_models})
        differences = compare_metadata(context, metadata)
    assert differences == []


def test_accepting_stores_delivery_payload_and_job(engine: Engine) -> None:
    receipt = accept(engine)
    assert (receipt.status, receipt.knock) == ("accepted", receipt.jobs)
    assert len(receipt.jobs) == 1
    with engine.begin() as connection:
        stored = connection.execute(sa.select(payloads)).one()
        assert stored.body == b'{"a": 1}'
        assert connection.execute(sa.select(delivery_table.c.jobs)).scalar_one() == list(receipt.jobs)
    assert row(engine, receipt.jobs[0]).status == "queued"


def test_several_targets_make_several_jobs(engine: Engine) -> None:
    receipt = accept(engine, work=(make_work("eu"), make_work("us")))
    assert len(set(receipt.jobs)) == 2


def test_an_ignored_delivery_is_stored_with_its_reason_and_without_a_job(engine: Engine) -> None:
    hook = Hook(event="ping", delivery_id="p", content=Ignored(reason="ping", detail="works"))
    with engine.begin() as connection:
        receipt = deliveries.accept(
            connection,
            deliveries.Arrival(
                provider="github", hook=hook, decision=Decision(reason="ping", detail="works"), headers={}, body=b"{}", now=NOW
            ),
        )
    assert (receipt.status, receipt.reason, receipt.jobs) == ("ignored", "ping", ())
    assert (count(engine, payloads), count(engine, job_table)) == (1, 0)


def test_the_same_delivery_id_again_changes_nothing_and_names_the_first_jobs(engine: Engine) -> None:
    first = accept(engine, delivery_id="same")
    again = accept(engine, delivery_id="same")
    assert (again.status, again.jobs, again.replayed, again.knock) == ("duplicate", first.jobs, (), ())
    assert count(engine, delivery_table) == 1


def test_the_same_delivery_id_from_another_provider_is_another_delivery(engine: Engine) -> None:
    accept(engine, delivery_id="same")
    assert accept(engine, delivery_id="same", provider="gitlab").status == "accepted"


def test_a_redelivery_queues_again_what_had_failed_and_says_so(engine: Engine) -> None:
    first = accept(engine, delivery_id="same")
    job = claim(engine, first.jobs[0])
    assert job is not None
    assert fail(engine, job)
    again = accept(engine, delivery_id="same")
    assert (again.status, again.replayed, again.knock) == ("duplicate", first.jobs, first.jobs)
    assert row(engine, job.id).status == "queued"


def test_the_same_tag_under_another_delivery_id_is_the_same_job(engine: Engine) -> None:
    first = accept(engine, delivery_id="repo hook")
    second = accept(engine, delivery_id="org hook")
    assert (second.status, second.jobs, second.knock) == ("accepted", first.jobs, ())
    assert count(engine, job_table) == 1


def test_a_moved_tag_is_another_job(engine: Engine) -> None:
    first = accept(engine)
    assert accept(engine, push=make_push(sha="b" * 40)).jobs != first.jobs


def test_two_deliveries_of_one_tag_at_the_same_moment_make_one_job(engine: Engine) -> None:
    receipts: list[deliveries.Receipt] = []
    barrier = threading.Barrier(4)

    def one() -> None:
        barrier.wait()
        receipts.append(accept(engine))

    threads = [threading.Thread(target=one) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({receipt.jobs for receipt in receipts}) == 1
    assert sum(len(receipt.knock) for receipt in receipts) == 1
    assert count(engine, delivery_table) == 4


def test_of_many_claims_at_once_exactly_one_wins(engine: Engine) -> None:
    job_id = accept(engine).jobs[0]
    won: list[claims.Claimed] = []
    barrier = threading.Barrier(6)

    def one() -> None:
        barrier.wait()
        if (job := claim(engine, job_id)) is not None:
            won.append(job)

    threads = [threading.Thread(target=one) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [job.number for job in won] == [1]
    assert history(engine, job_id) == [(1, "webhook", None)]


def test_a_claim_brings_all_that_an_attempt_needs(engine: Engine) -> None:
    job = claim(engine, accept(engine, delivery_id="d").jobs[0])
    assert job is not None
    assert (job.delivery_id, job.repository, job.sha, job.tried, job.body) == ("d", "acme/shop", SHA, 1, b'{"a": 1}')
    assert job.lease_until == NOW + job_transitions.LEASE


def test_succeeding_closes_the_attempt_and_the_job(engine: Engine) -> None:
    job = claim(engine, accept(engine).jobs[0])
    assert job is not None
    assert succeed(engine, job)
    stored = row(engine, job.id)
    assert (stored.status, stored.outcome, stored.error, stored.lease_until) == ("succeeded", "created", None, None)
    assert history(engine, job.id) == [(1, "webhook", "succeeded")]


def test_a_partial_range_is_the_reason_of_a_success(engine: Engine) -> None:
    job = claim(engine, accept(engine).jobs[0])
    assert job is not None
    found = {"source": "payload", "partial": "cut", "proven": False}
    with engine.begin() as connection:
        ended = attempt_end.succeeded(outcome="created", http_status=201, release_url="u", found=found)
        job_transitions.end(connection, job.id, 1, ended, now=NOW)
    assert (row(engine, job.id).reason, row(engine, job.id).range) == ("commits_partial", found)


def test_a_retrying_job_cannot_be_claimed_before_its_time(engine: Engine) -> None:
    job = claim(engine, accept(engine).jobs[0])
    assert job is not None
    later = NOW + timedelta(seconds=30)
    assert retry_later(engine, job, later)
    assert row(engine, job.id).status == "retrying"
    assert claim(engine, job.id, later - timedelta(seconds=1)) is None
    again = claim(engine, job.id, later)
    assert again is not None
    assert history(engine, job.id) == [(1, "webhook", "retry"), (2, "retry", None)]


@pytest.mark.parametrize("verb", [succeed, fail])
def test_a_worker_that_outlived_its_lease_writes_nothing(engine: Engine, verb: Any) -> None:
    job = claim(engine, accept(engine).jobs[0])
    assert job is not None
    late = NOW + job_transitions.LEASE + timedelta(seconds=1)
    with engine.begin() as connection:
        assert rescue(connection, now=late) == [(job.id, JobState.QUEUED)]
    successor = claim(engine, job.id, late)
    assert successor is not None
    assert not verb(engine, job)
    assert row(engine, job.id).status == "running"
    assert verb(engine, successor)
    assert history(engine, job.id)[0] == (1, "webhook", "lost")
    assert history(engine, job.id)[1][1] == "rescue"


def test_a_lease_that_still_runs_is_left_alone(engine: Engine) -> None:
    job = claim(engine, accept(engine).jobs[0])
    assert job is not None
    with engine.begin() as connection:
        assert not has_expired_lease(connection, now=NOW + job_transitions.LEASE)
        assert rescue(connection, now=NOW + job_transitions.LEASE) == []


def test_a_job_that_kills_its_workers_fails_when_its_budget_is_used_up(engine: Engine) -> None:
    job_id = accept(engine).jobs[0]
    now = NOW
    for _ in range(job_transitions.BUDGET):
        assert claim(engine, job_id, now) is not None
        now += job_transitions.LEASE + timedelta(seconds=1)
        with engine.begin() as connection:
            moved = rescue(connection, now=now)
    assert moved == [(job_id, JobState.FAILED)]
    assert row(engine, job_id).reason == "attempts_exhausted"


def test_replay_gives_a_fresh_budget_and_keeps_the_history(engine: Engine) -> None:
    job = claim(engine, accept(engine).jobs[0])
    assert job is not None
    fail(engine, job)
    with engine.begin() as connection:
        assert job_transitions.replay(connection, job.id, now=NOW)
        assert not job_transitions.replay(connection, job.id, now=NOW), "a queued job is not replayed"
    again = claim(engine, job.id)
    assert again is not None
    assert (again.number, again.tried) == (2, 1)
    assert history(engine, job.id) == [(1, "webhook", "failed"), (2, "replay", None)]


def test_cancel_stops_what_waits_and_nothing_else(engine: Engine) -> None:
    waiting, running = accept(engine).jobs[0], accept(engine, push=make_push("refs/tags/v2")).jobs[0]
    assert claim(engine, running) is not None
    with engine.begin() as connection:
        assert job_transitions.cancel(connection, waiting, now=NOW)
        assert not job_transitions.cancel(connection, running, now=NOW)
    assert claim(engine, waiting) is None


def due_ids(engine: Engine, now: datetime) -> list[str]:
    with engine.begin() as connection:
        return due_jobs.of_repository(connection, "default", "acme/shop", now=now, until=now, limit=10)


def test_due_finds_what_waits_too_long_oldest_first_and_not_what_was_knocked_for_lately(engine: Engine) -> None:
    old = accept(engine, now=NOW - timedelta(seconds=60)).jobs[0]
    older = accept(engine, push=make_push("refs/tags/v2"), now=NOW - timedelta(seconds=90)).jobs[0]
    accept(engine, push=make_push("refs/tags/v3"), now=NOW)
    assert due_ids(engine, NOW) == [older, old]
    with engine.begin() as connection:
        due_jobs.stamp(connection, [older], now=NOW)
    assert due_ids(engine, NOW) == [old]


def test_a_retrying_job_is_due_the_moment_its_time_comes(engine: Engine) -> None:
    job = claim(engine, accept(engine).jobs[0])
    assert job is not None
    at = NOW + timedelta(seconds=2)
    retry_later(engine, job, at)
    assert due_ids(engine, at - timedelta(seconds=1)) == []
    assert due_ids(engine, at) == [job.id]


def test_refused_deliveries_are_remembered_without_counting_for_deduplication(engine: Engine) -> None:
    with engine.begin() as connection:
        for _ in range(2):
            refused_deliveries.refuse(
                connection,
                provider="github",
                delivery_id="same",
                event="push",
                reason="signature_wrong",
                detail="d",
                now=NOW,
            )
    assert accept(engine, delivery_id="same").status == "accepted"
    with engine.begin() as connection:
        assert stats.count_by_status(connection)["deliveries"] == {"accepted": 1, "ignored": 0, "refused": 2}


def test_only_the_newest_thousand_refusals_stay(engine: Engine) -> None:
    with engine.begin() as connection:
        for _ in range(1_060):
            refused_deliveries.refuse(
                connection,
                provider="github",
                delivery_id="x",
                event="push",
                reason="signature_wrong",
                detail="d",
                now=NOW,
            )
    assert 1_000 <= count(engine, delivery_table) <= 1_050


def test_the_longest_ref_in_four_byte_characters_can_be_stored(engine: Engine) -> None:
    ref = "refs/tags/" + "\U0001f600" * 1_000
    assert accept(engine, push=make_push(ref)).status == "accepted"


def test_a_snoozed_job_spends_no_attempt_shows_what_it_waits_for_and_is_claimed_when_due(engine: Engine) -> None:
    job = claim(engine, accept(engine).jobs[0])
    assert job is not None
    until = NOW + timedelta(minutes=30)
    waiting = {"code": "rate_limited", "detail": "the forge asks to wait", "until": until.isoformat()}
    with engine.begin() as connection:
        ended = attempt_end.snoozed(at=until, waiting=waiting)
        assert job_transitions.end(connection, job.id, job.number, ended, now=NOW)
        assert not job_transitions.end(connection, job.id, job.number, ended, now=NOW), "it is ours no more"
    stored = row(engine, job.id)
    assert (stored.status, stored.waiting, stored.next_attempt_at) == ("retrying", waiting, until)
    assert claim(engine, job.id, until - timedelta(seconds=1)) is None
    again = claim(engine, job.id, until)
    assert again is not None
    assert (again.number, again.tried, row(engine, job.id).waiting) == (2, 1, None)
    assert history(engine, job.id) == [(1, "webhook", "held"), (2, "webhook", None)]


def test_a_job_snoozed_at_its_last_attempt_still_has_it(engine: Engine) -> None:
    job_id = accept(engine).jobs[0]
    with engine.begin() as connection:
        connection.execute(job_table.update().values(attempts=job_transitions.BUDGET - 1))
    job = claim(engine, job_id)
    assert job is not None
    assert job.tried == job_transitions.BUDGET
    with engine.begin() as connection:
        ended = attempt_end.snoozed(at=NOW, waiting={"code": "c", "detail": "d", "until": None})
        job_transitions.end(connection, job.id, job.number, ended, now=NOW)
    again = claim(engine, job_id)
    assert again is not None
    assert again.tried == job_transitions.BUDGET

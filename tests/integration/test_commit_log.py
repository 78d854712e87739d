"""The commit log on real databases: written from stored payloads, once, and forgotten in time."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa
from sqlalchemy.engine import Engine

from shared.domain.push import Commit, FileChange
from shared.domain.rules import NO_RULES
from shared.infra.database import make_engine
from shared.ledger import contributions, pending_pushes, push_history
from shared.ledger.tables import SCHEMA, commits, pushes
from shared.ledger.tables import deliveries as delivery_table
from tests.migrated import migrate
from tests.pushes_stored import NOW, store
from webhook.local.sample_webhooks import ZERO, Sample, SampleCommit, github_push, gitlab_push, sha, sign_github, sign_gitlab
from worker.commits.history_writer import log_all, log_few, log_step
from worker.sweeper.history_keeper import LogKeeper

KEY = "github:acme/shop"
MAIN = "refs/heads/main"


def push(ref: str, before: str, *names: str, forced: bool = False) -> Sample:
    made = [SampleCommit(name, added=[f"{name}.py"]) for name in names]
    payload = github_push(repository="acme/shop", ref=ref, commits=made, before=before)
    return sign_github({**payload, "forced": forced}, "s")


def write(engine: Engine, provider: str = "github", repository: str = "acme/shop") -> int:
    handled = 0
    while step := log_step(engine, provider=provider, repository=repository):
        handled += step
    return handled


def test_a_push_that_no_rule_wants_is_logged_with_its_commits_and_files(engine: Engine) -> None:
    store(engine, push(MAIN, sha("zero"), "one", "two"))
    assert write(engine) == 1
    with engine.begin() as connection:
        (logged,) = push_history.branch_pushes_to(connection, KEY, sha("two"))
        known = push_history.known_commits(connection, KEY, [sha("one"), sha("two"), "f" * 40])
    assert (logged.before, logged.commit_ids, logged.is_whole, logged.is_forced) == (
        sha("zero"),
        (sha("one"), sha("two")),
        True,
        False,
    )
    assert set(known) == {sha("one"), sha("two")}
    assert known[sha("one")].files == (FileChange("one.py", "A"),)


def test_writing_twice_writes_once(engine: Engine) -> None:
    store(engine, push(MAIN, sha("zero"), "one"))
    assert (write(engine), write(engine)) == (1, 0)


def test_more_pushes_than_one_step_takes_are_all_written(engine: Engine) -> None:
    names = [f"c{number}" for number in range(230)]
    for before, name in zip(["zero", *names], names, strict=False):
        store(engine, push(MAIN, sha(before), name))
    assert write(engine) == 230
    with engine.begin() as connection:
        assert connection.execute(sa.select(sa.func.count()).select_from(commits)).scalar_one() == 230


def test_a_large_push_is_written_in_transactions_that_are_short_for_others(engine: Engine) -> None:
    names = [f"c{number}" for number in range(1_230)]
    store(engine, push(MAIN, sha("zero"), "small"))
    store(engine, push(MAIN, sha("small"), *names))
    rows, most = [0], 500

    def count(_: object, __: object, ___: object, parameters: object, ____: object, executemany: bool) -> None:
        rows[-1] += len(parameters) if executemany and isinstance(parameters, list) else 1

    def begin(_: object) -> None:
        rows.append(0)

    sa.event.listen(engine, "before_cursor_execute", count)
    sa.event.listen(engine, "commit", begin)
    assert write(engine) == 2
    sa.event.remove(engine, "before_cursor_execute", count)
    sa.event.remove(engine, "commit", begin)
    assert sum(1 for count in rows if count > 100) >= 3
    assert max(rows) <= most + 10
    with engine.begin() as connection:
        assert len(push_history.known_commits(connection, KEY, [sha(name) for name in names])) == 1_230
        (logged,) = push_history.branch_pushes_to(connection, KEY, sha(names[-1]))
        assert logged.is_whole


def test_only_what_is_small_comes_with_a_transaction_that_somebody_needs_anyway(engine: Engine) -> None:
    store(engine, push(MAIN, sha("zero"), "one"))
    store(engine, push(MAIN, sha("one"), *(f"many-{number}" for number in range(400))))
    store(engine, push(MAIN, sha("many-399"), "last"))
    with engine.begin() as connection:
        log_few(connection, provider="github", repository="acme/shop")
        assert [row.sha for row in connection.execute(sa.select(pushes.c.sha))] == [sha("one")]
    assert write(engine) == 2


def test_more_than_there_is_time_for_is_said_and_left_to_the_next(engine: Engine) -> None:
    for number in range(101):
        store(engine, push(MAIN, sha("zero"), f"c{number}"))
    assert not log_all(engine, provider="github", repository="acme/shop", seconds=0)
    assert log_all(engine, provider="github", repository="acme/shop", seconds=30)


def test_a_delivery_whose_payload_is_gone_no_longer_waits(engine: Engine) -> None:
    store(engine, push(MAIN, sha("zero"), "one"))
    with engine.begin() as connection:
        connection.execute(sa.text("DELETE FROM payloads"))
    assert write(engine) == 1
    with engine.begin() as connection:
        assert connection.execute(sa.select(delivery_table.c.to_log)).scalar_one() is False
        assert connection.execute(sa.select(pushes)).all() == []


def test_repositories_with_unlogged_pushes_are_found_for_the_sweeper(engine: Engine) -> None:
    store(engine, push(MAIN, sha("zero"), "one"))
    store(engine, sign_gitlab(gitlab_push(repository="acme/api", ref=MAIN, commits=[SampleCommit("x")]), "s"))
    with engine.begin() as connection:
        assert sorted(pending_pushes.repositories(connection, 10)) == [("github", "acme/shop"), ("gitlab", "acme/api")]


def test_tags_are_where_they_were_last_announced_and_deleted_ones_are_gone(engine: Engine) -> None:
    one, two = SampleCommit("one"), SampleCommit("two")
    for name, head, after in (("v1", one, None), ("v2", one, None), ("v2", two, None), ("v3", one, None)):
        payload = github_push(repository="acme/shop", ref=f"refs/tags/{name}", head=head, after=after)
        store(engine, sign_github(payload, "s"))
    gone = {**github_push(repository="acme/shop", ref="refs/tags/v3", before=sha("one"), after=ZERO), "deleted": True}
    store(engine, sign_github(gone, "s"))
    write(engine)
    with engine.begin() as connection:
        assert push_history.announced_tags(connection, KEY) == {"v1": sha("one"), "v2": sha("two")}


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_a_push_that_never_arrived_is_noticed_but_one_that_came_late_is_not(engine: Engine, order: tuple[int, int]) -> None:
    store(engine, push(MAIN, sha("zero"), "one"))
    both = [push(MAIN, sha("one"), "two"), push(MAIN, sha("two"), "three")]
    for index in order:
        store(engine, both[index])
    store(engine, push(MAIN, sha("five"), "six"))
    write(engine)
    with engine.begin() as connection:
        assert push_history.lost_base(connection, KEY, MAIN, sha("one"), sha("two")) is None
        assert push_history.lost_base(connection, KEY, MAIN, sha("two"), sha("three")) is None
        assert push_history.lost_base(connection, KEY, MAIN, sha("five"), sha("six")) in (sha("three"), sha("two"))
        assert push_history.lost_base(connection, KEY, MAIN, sha("zero"), sha("one")) is None


def test_a_commit_known_without_files_gains_them_and_keeps_them(engine: Engine) -> None:
    bare = Commit(id="a" * 40, message="m")
    full = Commit(id="a" * 40, message="m", files=(FileChange("x", "A"),))
    with engine.begin() as connection:
        for found in (bare, full, bare):
            push_history.save_commits(connection, KEY, [found], NOW)
        assert push_history.known_commits(connection, KEY, ["a" * 40])["a" * 40].files == full.files


def test_old_rows_are_forgotten_in_steps(engine: Engine) -> None:
    for number in range(5):
        store(engine, push(MAIN, sha("zero"), f"old{number}"), NOW - timedelta(days=400))
    store(engine, push(MAIN, sha("zero"), "new"))
    write(engine)
    with engine.begin() as connection:
        steps = []
        while dropped := push_history.forget(connection, before=NOW - timedelta(days=365), limit=2):
            steps.append(dropped)
        assert sum(steps) == 10
        assert len(steps) == 3
        assert [row.commit_ids for row in connection.execute(sa.select(pushes))] == [[sha("new")]]


def contribution(key: str, listed: Sequence[Commit] = ()) -> contributions.Contribution:
    return contributions.Contribution(
        target="t", version="v", repository_key=key, full_name="acme/shop", commits=listed, ref=None
    )


def test_what_repositories_put_into_a_release_comes_back_as_it_was(engine: Engine) -> None:
    rich = Commit(
        id="d" * 40,
        message="Fix the till \U0001f600\n\nAll of it.",
        author_name="Zoë",
        author_email="z@acme.test",
        timestamp=NOW,
        files=(FileChange("a/ü.py", "M"),),
    )
    bare = Commit(id="b" * 40, message="")
    with engine.begin() as connection:
        for key, commits_ in ((KEY, [bare]), ("gitlab:acme/api", [bare, bare]), (KEY, [rich, bare])):
            contributions.contribute(connection, contribution(key, commits_), NOW)
        kept = contributions.kept_contributions(connection, "t", "v")
    assert {key: part.commits for key, part in kept.items()} == {KEY: (rich, bare), "gitlab:acme/api": (bare, bare)}


def test_the_sweeper_takes_over_pushes_that_nobody_needed_and_forgets_old_ones(engine: Engine) -> None:
    for number in range(150):
        store(engine, push(MAIN, sha("zero"), f"c{number}"), NOW - timedelta(days=400 if number < 50 else 1))
    keeper = LogKeeper(engine, NO_RULES)
    for second in range(4):
        keeper.step(NOW + timedelta(seconds=second))
    with engine.begin() as connection:
        assert pending_pushes.repositories(connection, 10) == []
        assert connection.execute(sa.select(sa.func.count()).select_from(pushes)).scalar_one() == 100


def test_writers_that_meet_in_opposite_orders_do_not_lock_each_other_out(engine: Engine) -> None:
    found = [Commit(id=f"{number:040x}", message="m") for number in range(400)]
    faults: list[Exception] = []

    def write_half(order: int) -> None:
        try:
            for _ in range(5):
                with engine.begin() as connection:
                    for start in range(0, 400, 20)[::order]:
                        push_history.save_commits(connection, KEY, found[start : start + 20][::order], NOW)
        except Exception as fault:
            faults.append(fault)

    threads = [threading.Thread(target=write_half, args=(order,)) for order in (1, -1, 1, -1)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert faults == []


def test_what_waits_for_the_log_is_found_by_its_own_index(tmp_path: Path) -> None:
    engine = make_engine(f"sqlite:///{tmp_path / 'ledger.sqlite3'}")
    migrate(engine, SCHEMA)
    asked: list[tuple[str, object]] = []

    def listen(_: object, __: object, statement: str, parameters: object, ___: object, ____: object) -> None:
        asked.append((statement, parameters))

    with engine.begin() as connection:
        sa.event.listen(engine, "before_cursor_execute", listen)
        log_few(connection, provider="github", repository="acme/shop")
        pending_pushes.is_any_waiting(connection, provider="github", repository="acme/shop")
        pending_pushes.find(connection, provider="github", repository="acme/shop")
        pending_pushes.repositories(connection, 10)
        sa.event.remove(engine, "before_cursor_execute", listen)
        plans = [
            str([row[3] for row in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", parameters)])  # type: ignore[arg-type]
            for statement, parameters in asked
            if "SAVEPOINT" not in statement
        ]
    assert len(plans) == 4
    assert all("ix_deliveries_to_log" in plan for plan in plans), plans
    engine.dispose()

"""Requests that meet: one release for one version, one list of commits at a time, nothing torn."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable
from functools import partial
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Engine

from releases.tables.releases import authors, commits, release_commits, releases, repositories
from tests.releases.caller import Caller
from tests.releases.conftest import TOKEN


def together(works: list[Callable[[], Any]]) -> list[Any]:
    """Run them at one moment, each in its own thread; what they return, in order."""
    barrier = threading.Barrier(len(works))
    results: list[Any] = [None] * len(works)

    def run(number: int) -> None:
        barrier.wait()
        results[number] = works[number]()

    threads = [threading.Thread(target=run, args=(number,)) for number in range(len(works))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return results


def count(engine: Engine, table: sa.Table) -> int:
    with engine.begin() as connection:
        return connection.execute(sa.select(sa.func.count()).select_from(table)).scalar_one()


def test_two_requests_for_one_version_make_one_release(either_api: Caller, either_database: Engine) -> None:
    for n in range(5):
        callers = [Caller(either_api.app, TOKEN) for _ in range(4)]
        answers = together([partial(caller.release, f"v{n}") for caller in callers])
        assert sorted(answer.status_code for answer in answers) == [201, 208, 208, 208]
        assert len({answer.json["id"] for answer in answers}) == 1
    assert count(either_database, releases) == 5


def test_commits_of_one_release_are_one_of_the_lists_sent(either_api: Caller, either_database: Engine) -> None:
    lists = [
        [{"id": f"{name}{n}", "repository": "acme/shop", "author_name": f"{name}{n % 5}"} for n in range(40)] for name in "abcd"
    ]
    callers = [Caller(either_api.app, TOKEN) for _ in lists]
    answers = together([partial(caller.release, commits=one) for caller, one in zip(callers, lists, strict=True)])
    assert Counter(answer.status_code for answer in answers) == {201: 1, 208: 3}
    shown = either_api.get("releases/1.0/commits/").json
    assert [one["id"] for one in shown] in [[one["id"] for one in sent] for sent in lists]
    assert count(either_database, release_commits) == 40


def test_overlapping_commits_of_several_releases_do_not_lock_each_other_up(either_api: Caller, either_database: Engine) -> None:
    shared = [{"id": f"c{n}", "repository": f"r{n % 3}", "author_name": f"a{n % 7}", "message": str(n)} for n in range(60)]
    orders = [shared, shared[::-1], shared[20:] + shared[:20], shared[::2] + shared[1::2]]
    callers = [Caller(either_api.app, TOKEN) for _ in orders]
    answers = together(
        [partial(caller.release, f"v{n}", commits=one) for n, (caller, one) in enumerate(zip(callers, orders, strict=True))]
    )
    assert {answer.status_code for answer in answers} == {201}
    assert [count(either_database, table) for table in (commits, repositories, authors)] == [60, 3, 7]


def test_deploys_at_one_moment_are_all_counted(either_api: Caller) -> None:
    either_api.made()
    callers = [Caller(either_api.app, TOKEN) for _ in range(6)]
    together([partial(caller.post, "releases/1.0/deploys/", {"environment": "prod"}) for caller in callers])
    assert either_api.shown()["deployCount"] == 6
    assert len(either_api.get("releases/1.0/deploys/").json) == 1


def test_a_release_locked_for_too_long_is_409(either_api: Caller, either_database: Engine) -> None:
    """Only PostgreSQL locks a row; SQLite's one lock is over the whole file, and waiting for it is a 503."""
    either_api.made()
    engine = either_api.app.extensions["releases"].engine
    short = "SET lock_timeout = '50ms'" if engine.dialect.name == "postgresql" else "PRAGMA busy_timeout = 50"

    def hurry(connection: Any, _: Any, __: Any) -> None:
        connection.cursor().execute(short)
        connection.commit()

    with either_database.begin() as holding:
        holding.execute(sa.select(releases).with_for_update()).all()
        sa.event.listen(engine, "checkout", hurry)
        try:
            answer = either_api.release(commits=[{"id": "a"}])
        finally:
            sa.event.remove(engine, "checkout", hurry)
    if engine.dialect.name == "postgresql":
        assert (answer.status_code, answer.json) == (409, {"detail": "Release commits are currently being processed"})
    else:
        assert (answer.status_code, answer.headers["Retry-After"]) == (503, "1")
    assert either_api.shown()["commitCount"] is None

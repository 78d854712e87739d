"""A token that the forge refuses is asked about once a minute, and completes what went out partial when it works again."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx2
import pytest
from sqlalchemy.engine import Engine

from shared.config.settings import ForgeSettings, from_env
from shared.forge_access import wake_partial
from shared.targets.repository_names import RepositoryNames
from tests.forge import Built, Forge, used_up
from tests.forge_run import TAGS, accept, accept_all, five_tags, runner
from tests.target import Target
from tests.worker_run import row, rules
from worker.commits.forge_pool import Forges
from worker.commits.release_commits import Gatherer
from worker.jobs.attempt import Tools
from worker.jobs.runner import Runner
from worker.sweeper.refusal_watch import RefusalWatch


@pytest.fixture
def built(tmp_path: Path) -> Built:
    return five_tags(tmp_path)


@pytest.fixture
def forge(built: Built) -> Iterator[Forge]:
    with Forge("github") as made:
        made.add("acme/shop", built.path)
        made.tokens = {"another"}
        yield made


def watch(engine: Engine, http: httpx2.Client, forge: Forge, token: str = "t") -> RefusalWatch:
    return RefusalWatch(engine, http, {"github": ForgeSettings(forge.url, token, is_named=True)})


def statuses(engine: Engine, ids: list[str]) -> list[str]:
    return [row(engine, job_id).status for job_id in ids]


def ranges(engine: Engine, ids: list[str]) -> list[tuple[int, str | None]]:
    return [(row(engine, job_id).range["commits"], row(engine, job_id).range["partial"]) for job_id in ids]


def later(seconds: float) -> datetime:
    return datetime.now(UTC) + timedelta(seconds=seconds)


def test_a_refused_token_is_asked_about_once_a_minute_and_what_went_out_partial_is_completed(
    engine: Engine, http: httpx2.Client, target: Target, forge: Forge, built: Built
) -> None:
    in_force = rules(target.url)
    ids = accept_all(engine, in_force, built)
    runner(engine, http, in_force, forge.url).run(ids)
    assert (forge.total_calls, len(target.posts)) == (1, len(ids)), "one call for all of them, and no release waits"
    assert {row(engine, job_id).waiting["code"] for job_id in ids} == {"commits_partial"}
    assert all("check GITHUB_TOKEN" in row(engine, job_id).range["partial"] for job_id in ids)
    runner(engine, http, in_force, forge.url).run([accept(engine, in_force, "v9", built.sha[TAGS[4]])])
    assert forge.total_calls == 1, "another worker, and another release, do not ask either"
    for minute in range(1, 4):
        for second in range(0, 60, 10):
            watch(engine, http, forge).step(later(60 * minute + second))
    assert 4 <= forge.total_calls <= 5, "once a minute"
    assert statuses(engine, ids) == ["retrying"] * len(ids)
    forge.tokens = None
    watch(engine, http, forge).step(later(300))
    runner(engine, http, in_force, forge.url).run(ids)
    assert statuses(engine, ids) == ["succeeded"] * len(ids)
    assert ranges(engine, ids) == [(3, None)] * len(ids)
    calls = forge.total_calls
    watch(engine, http, forge).step(later(900))
    assert forge.total_calls == calls, "nothing is refused, so nothing is asked"


def test_a_token_that_was_changed_in_its_file_is_used_at_once(
    engine: Engine, http: httpx2.Client, target: Target, forge: Forge, built: Built, tmp_path: Path
) -> None:
    file = tmp_path / "token"
    file.write_text("expired\n")
    given = from_env({"GITHUB_API_URL": forge.url, "GITHUB_TOKEN_FILE": str(file), "DATABASE_URL": "sqlite:///x"}).forges
    in_force = rules(target.url)
    gatherer = Gatherer(engine, Forges(http, given), RepositoryNames(), in_force.commits)
    run = Runner(engine, Tools(client=http, rules=in_force, token=lambda _: "s3cret", gatherer=gatherer))
    job_id = accept(engine, in_force, TAGS[1], built.sha[TAGS[1]])
    run.run([job_id])
    asking = RefusalWatch(engine, http, given)
    asking.step(later(5))
    assert (row(engine, job_id).status, forge.total_calls) == ("retrying", 1)
    file.write_text("")  # half-way through being written
    asking.step(later(6))
    file.write_text("another\n")
    asking.step(later(7))
    run.run([job_id])
    assert (row(engine, job_id).status, ranges(engine, [job_id])) == ("succeeded", [(3, None)])


def test_a_worker_that_starts_completes_what_waits_for_commits(
    engine: Engine, http: httpx2.Client, target: Target, forge: Forge, built: Built
) -> None:
    in_force = rules(target.url)
    ids = accept_all(engine, in_force, built)
    runner(engine, http, in_force, forge.url).run(ids)
    assert wake_partial(engine) == len(ids)
    runner(engine, http, in_force, forge.url, token="another").run(ids)
    assert ranges(engine, ids) == [(3, None)] * len(ids)
    asking = watch(engine, http, forge, "another")
    asking.step(later(1))
    calls = forge.total_calls
    asking.step(later(120))
    assert forge.total_calls == calls, "the refusal was of the token before"


def test_a_repository_that_a_token_may_not_read_keeps_no_other_and_is_asked_about_less_and_less_often(
    engine: Engine, http: httpx2.Client, target: Target, forge: Forge, built: Built
) -> None:
    forge.tokens = None
    in_force = rules(target.url)
    hidden = [accept(engine, in_force, f"v{number}", "d" * 40, repository="acme/private") for number in (1, 2)]
    readable = accept(engine, in_force, TAGS[1], built.sha[TAGS[1]])
    run = runner(engine, http, in_force, forge.url)
    run.run([*hidden, readable])
    assert statuses(engine, [*hidden, readable]) == ["retrying", "retrying", "succeeded"]
    forge.forget()
    asking = watch(engine, http, forge)
    for minute in range(240):
        asking.step(later(60 * minute))
    assert 6 <= forge.total_calls <= 12
    forge.repositories["acme/private"] = forge.repositories["acme/shop"]
    asking.step(later(60 * 400))
    assert [row(engine, job_id).next_attempt_at <= datetime.now(UTC) for job_id in hidden] == [True, True]


def test_a_limit_that_answers_instead_of_the_refusal_ends_it_and_holds(
    engine: Engine, http: httpx2.Client, target: Target, forge: Forge, built: Built
) -> None:
    in_force = rules(target.url)
    job_id = accept(engine, in_force, TAGS[1], built.sha[TAGS[1]])
    run = runner(engine, http, in_force, forge.url)
    run.run([job_id])
    forge.hold(3_000, used_up)
    watch(engine, http, forge).step(later(60))
    calls = forge.total_calls
    run.run([job_id])
    stored = row(engine, job_id)
    assert (stored.status, stored.waiting["code"], forge.total_calls) == ("retrying", "commits_partial", calls)
    assert "takes no more calls" in stored.waiting["detail"]


def test_a_forge_that_was_switched_off_since_is_not_asked(
    engine: Engine, http: httpx2.Client, target: Target, forge: Forge, built: Built
) -> None:
    in_force = rules(target.url)
    runner(engine, http, in_force, forge.url).run(accept_all(engine, in_force, built))
    forge.forget()
    RefusalWatch(engine, http, {}).step(later(60))
    watch(engine, http, forge).step(later(120))
    assert forge.total_calls == 0

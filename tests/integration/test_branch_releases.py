"""Releases of branches that were created: they list what is on no other branch, and never overwrite a right release."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest
from sqlalchemy.engine import Engine

from shared.domain.rules import Rule, Rules
from shared.domain.rules import Target as At
from tests.forge import Built, Forge, History
from tests.forge_run import accept_sample, runner
from tests.range_run import listed
from tests.target import Target
from tests.worker_run import row
from webhook.local.sample_webhooks import github_push, gitlab_push, sign_github, sign_gitlab

ZERO = "0" * 40


@pytest.fixture
def built(tmp_path: Path) -> Built:
    """main: c1..c6; release/1 adds r1, r2 to c4."""
    made = History()
    made.line("c", 6)
    made.line("r", 2, "c4")
    made.branch("main", "c6")
    made.branch("release/1", "r2")
    return made.build(tmp_path / "repository")


@pytest.fixture(params=["github", "gitlab"])
def forge(request: pytest.FixtureRequest, built: Built) -> Iterator[Forge]:
    with Forge(request.param) as made:
        made.add("acme/shop", built.path)
        yield made


def every_branch(url: str) -> Rules:
    rule = Rule(name="all", repos=("*:*",), refs=("refs/heads/*",), targets=("main",), projects=("shop",))
    return Rules((rule,), {"main": At(name="main", url=url, org="acme", token_env="T")})


def push(engine: Engine, target: Target, kind: str, built: Built, branch: str, before: str | None, after: str) -> str:
    ref, start = f"refs/heads/{branch}", built.sha[before] if before else ZERO
    commits = listed(built, before or "c1", after)
    if kind == "github":
        sample = sign_github(github_push(repository="acme/shop", ref=ref, commits=commits, before=start), "x")
    else:
        payload = gitlab_push(repository="acme/shop", ref=ref, commits=commits, before=start, checkout_sha=built.sha[after])
        sample = sign_gitlab(payload, "x")
    return accept_sample(engine, every_branch(target.url), sample)[0]


def sent(target: Target) -> list[list[str] | None]:
    return [[commit["id"] for commit in body["commits"]] if "commits" in body else None for _, body, _ in target.posts]


def test_a_renamed_default_branch_leaves_the_release_of_its_commit_as_it_is(
    engine: Engine, http: httpx2.Client, target: Target, forge: Forge, built: Built
) -> None:
    run = runner(engine, http, every_branch(target.url), forge.url, provider=forge.kind)
    first = push(engine, target, forge.kind, built, "master", "c3", "c6")
    run.run([first])
    renamed = push(engine, target, forge.kind, built, "main", None, "c6")
    run.run([renamed])
    assert row(engine, renamed).status == "succeeded"
    assert sent(target) == [[built.sha[f"c{number}"] for number in (6, 5, 4)], None]
    assert row(engine, renamed).range["how"] == "known_head"


def test_a_branch_cut_from_main_counts_from_the_newest_known_head_behind_it(
    engine: Engine, http: httpx2.Client, target: Target, forge: Forge, built: Built
) -> None:
    run = runner(engine, http, every_branch(target.url), forge.url, provider=forge.kind)
    for before, after in (("c1", "c2"), ("c2", "c4"), ("c4", "c6")):
        push(engine, target, forge.kind, built, "main", before, after)
    job = push(engine, target, forge.kind, built, "release/1", None, "r2")
    run.run([job])
    assert sent(target) == [[built.sha["r2"], built.sha["r1"]]]
    assert (row(engine, job).range["base"], row(engine, job).range["how"]) == (built.sha["c4"], "known_head")


def test_without_a_known_head_it_counts_from_where_it_left_the_default_branch(
    engine: Engine, http: httpx2.Client, target: Target, forge: Forge, built: Built
) -> None:
    run = runner(engine, http, every_branch(target.url), forge.url, provider=forge.kind)
    job = push(engine, target, forge.kind, built, "release/1", None, "r2")
    run.run([job])
    assert sent(target) == [[built.sha["r2"], built.sha["r1"]]]
    assert (row(engine, job).range["base"], row(engine, job).range["how"]) == (built.sha["c4"], "branch_point")


def test_a_new_branch_without_new_commits_lists_the_newest_few_where_its_version_is_new(
    engine: Engine, http: httpx2.Client, target: Target, forge: Forge, built: Built
) -> None:
    run = runner(engine, http, every_branch(target.url), forge.url, provider=forge.kind)
    push(engine, target, forge.kind, built, "main", "c1", "c6")
    job = push(engine, target, forge.kind, built, "release/2", None, "c6")
    run.run([job])
    assert sent(target) == [[built.sha[f"c{number}"] for number in range(6, 0, -1)]]


def test_later_pushes_do_not_make_a_new_branch_look_old(
    engine: Engine, http: httpx2.Client, target: Target, forge: Forge, built: Built
) -> None:
    """The job of the new branch runs late: meanwhile its commits are on main, too."""
    run = runner(engine, http, every_branch(target.url), forge.url, provider=forge.kind)
    push(engine, target, forge.kind, built, "main", "c1", "c4")
    job = push(engine, target, forge.kind, built, "feature", None, "c5")
    push(engine, target, forge.kind, built, "main", "c4", "c6")
    run.run([job])
    assert sent(target) == [[built.sha["c5"]]]

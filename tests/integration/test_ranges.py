"""The range of every release equals `git rev-list previous..this`: against real git repositories behind a test forge."""

from __future__ import annotations

import itertools
from pathlib import Path

import httpx2
import pytest
from hypothesis import HealthCheck, given
from sqlalchemy.engine import Engine

from shared.domain.push import Commit, Push, Ref, Repository
from shared.domain.rules import CommitRules
from tests.builders import examples
from tests.forge import HISTORIES, Built, Forge, History, git, random_histories
from tests.forge.histories import long
from tests.pushes_stored import store
from tests.range_run import NAME, Kind, announce, collect, ids, listed
from webhook.local.sample_webhooks import github_push, gitlab_push, sign_github, sign_gitlab

ZERO = "0" * 40
places = itertools.count()

# history -> tag -> the release it counts from; None for a first one
PREVIOUS: dict[str, dict[str, str | None]] = {
    "linear": {"v1.0.0": None, "v1.1.0": "v1.0.0", "v1.2.0": "v1.1.0"},
    "merges": {"v1.0.0": None, "v1.1.0": "v1.0.0", "v1.2.0": "v1.1.0"},
    "backport": {"v2.0.0": "v1.0.0", "v1.0.1": "v1.0.0", "v1.0.2": "v1.0.1"},
    "criss_cross": {"v1.0.0": None, "v1.1.0": "v1.0.0", "v1.2.0": "v1.1.0"},
    "force_push": {"v1.1.0": "v1.0.0"},
    "rebased_base": {"v1.1.0": "v1.0.0"},
    "moved_tag": {"v1.1.0": "v1.0.0"},
    "monorepo": {
        "api@1.0.0": None,
        "api@1.1.0": "api@1.0.0",
        "api@1.2.0": "api@1.1.0",
        "web/v3.1.0": "web/v3.0.0",
        "web/v3.2.0": "web/v3.1.0",
        "apiary@9.0.0": None,
    },
    "pre_releases": {
        "v2.0.0-alpha.1": "v1.0.0",
        "v2.0.0-rc.1": "v2.0.0-alpha.1",
        "v2.0.0-rc.2": "v2.0.0-rc.1",
        "v2.0.0": "v1.0.0",
        "v2.0.0-final": "v1.0.0",
    },
    "orphan": {"v2.0.0": None},
    "backward_clock": {"v1.1.0": "v1.0.0"},
}


def tag_push(kind: Kind, name: str, sha: str) -> Push:
    return Push(
        repository=Repository(kind, NAME, "main"),
        ref=Ref(f"refs/tags/{name}"),
        before=ZERO,
        after=sha,
        sha=sha,
        head_commit=Commit(id=sha, message="the tagged one"),
    )


@pytest.mark.parametrize("kind", ["github", "gitlab"])
@pytest.mark.parametrize("history", sorted(PREVIOUS))
def test_the_range_is_what_git_says(ledger: Engine, http: httpx2.Client, tmp_path: Path, history: str, kind: Kind) -> None:
    built = HISTORIES[history]().build(tmp_path / "repository")
    with Forge(kind) as forge:
        forge.add(NAME, built.path)
        for tag, previous in PREVIOUS[history].items():
            head = built.sha[tag]
            found = collect(ledger, http, forge, tag_push(kind, tag, head))
            assert (found.partial, found.is_proven, found.head) == (None, True, head), tag
            assert found.base == (built.sha[previous] if previous else None), tag
            expected = built.reachable(head).difference(*(built.reachable(sha) for sha in found.bases))
            assert ids(found) == expected, tag
            assert found.commits[0].id == head


@pytest.mark.parametrize("kind", ["github", "gitlab"])
def test_tags_pushed_in_reverse_order_have_the_same_ranges(
    ledger: Engine, http: httpx2.Client, tmp_path: Path, kind: Kind
) -> None:
    built = HISTORIES["linear"]().build(tmp_path / "repository")
    with Forge(kind) as forge:
        forge.add(NAME, built.path)
        for tag, previous in (("v1.2.0", "v1.1.0"), ("v1.1.0", "v1.0.0")):
            found = collect(ledger, http, forge, tag_push(kind, tag, built.sha[tag]))
            assert ids(found) == built.range(built.sha[previous], built.sha[tag])


@pytest.mark.parametrize("kind", ["github", "gitlab"])
def test_three_thousand_commits_are_all_there_with_full_messages(
    ledger: Engine, http: httpx2.Client, tmp_path: Path, kind: Kind
) -> None:
    built = long(3_000).build(tmp_path / "repository")
    with Forge(kind) as forge:
        forge.add(NAME, built.path)
        push = tag_push(kind, "v2.0.0", built.sha["v2.0.0"])
        found = collect(ledger, http, forge, push, CommitRules(file_calls=3))
        assert ids(found) == built.range(built.sha["v1.0.0"], built.sha["v2.0.0"])
        assert found.partial is None
        assert all("Why it was needed" in commit.message for commit in found.commits)
        assert sum(commit.files is not None for commit in found.commits) == 3


@pytest.mark.parametrize("kind", ["github", "gitlab"])
def test_a_first_release_lists_the_newest_few_and_never_everything(
    ledger: Engine, http: httpx2.Client, tmp_path: Path, kind: Kind
) -> None:
    made = History()
    made.line("c", 50)
    made.tag("v1.0.0", "c50")
    built = made.build(tmp_path / "repository")
    with Forge(kind) as forge:
        forge.add(NAME, built.path)
        found = collect(ledger, http, forge, tag_push(kind, "v1.0.0", built.sha["v1.0.0"]))
    assert [commit.id for commit in found.commits] == [built.sha[f"c{number}"] for number in range(50, 30, -1)]


def test_a_forced_branch_push_counts_from_its_before(ledger: Engine, http: httpx2.Client, tmp_path: Path) -> None:
    built = HISTORIES["force_push"]().build(tmp_path / "repository")
    push = branch_push("github", built, "old3", "new2", forced=True)
    with Forge("github") as forge:
        forge.add(NAME, built.path)
        found = collect(ledger, http, forge, push)
    assert ids(found) == {built.sha["new1"], built.sha["new2"]}
    assert (found.source, found.base) == ("api", built.sha["old3"])


def test_a_before_that_the_forge_has_forgotten_leaves_the_payload(ledger: Engine, http: httpx2.Client, tmp_path: Path) -> None:
    built = HISTORIES["force_push"]().build(tmp_path / "repository")
    push = branch_push("github", built, "old3", "new2", forced=True, before="e" * 40)
    with Forge("github") as forge:
        forge.add(NAME, built.path)
        found = collect(ledger, http, forge, push)
    assert found.source == "payload"
    assert "gone at the forge" in str(found.partial)


def test_a_lost_push_is_made_good_from_the_last_head_we_know(ledger: Engine, http: httpx2.Client, tmp_path: Path) -> None:
    made = History()
    made.line("c", 9)
    made.branch("main", "c9")
    built = made.build(tmp_path / "repository")
    deliver(ledger, "github", built, "c1", "c3")
    lost_until = branch_push("github", built, "c6", "c9")
    deliver(ledger, "github", built, "c6", "c9")
    with Forge("github") as forge:
        forge.add(NAME, built.path)
        found = collect(ledger, http, forge, lost_until)
    assert found.base == built.sha["c3"]
    assert ids(found) == built.range(built.sha["c3"], built.sha["c9"])
    alone = collect(ledger, http, None, lost_until)
    assert "never arrived" in str(alone.partial)


# --- the log alone -----------------------------------------------------------------------------------------------------


def payload(kind: Kind, built: Built, before: str | None, after: str, most: int) -> dict[str, object]:
    commits = listed(built, before, after)
    start = built.sha[before] if before else ZERO
    if kind == "github":
        return github_push(repository=NAME, ref="refs/heads/main", commits=commits, before=start)
    return gitlab_push(repository=NAME, ref="refs/heads/main", commits=commits[-most:], before=start, total=len(commits))


def deliver(ledger: Engine, kind: Kind, built: Built, before: str | None, after: str, *, most: int = 2_048) -> None:
    sign = sign_github if kind == "github" else sign_gitlab
    store(ledger, sign(payload(kind, built, before, after, most), "s"))


def branch_push(kind: Kind, built: Built, old: str, new: str, *, forced: bool = False, before: str | None = None) -> Push:
    commits = tuple(Commit(id=item.id, message=item.message, files=()) for item in listed(built, old, new))
    return Push(
        repository=Repository(kind, NAME, "main"),
        ref=Ref("refs/heads/main"),
        before=before or built.sha[old],
        after=built.sha[new],
        sha=built.sha[new],
        commits=commits,
        commits_total=len(commits),
        is_forced=forced,
    )


@pytest.mark.parametrize(("kind", "is_proven"), [("github", True), ("gitlab", False)])
def test_without_any_api_pushes_and_a_tag_give_the_full_range(
    ledger: Engine, http: httpx2.Client, tmp_path: Path, kind: Kind, is_proven: bool
) -> None:
    made = History()
    made.line("c", 12)
    built = made.build(tmp_path / "repository")
    for before, after in (("c1", "c4"), ("c4", "c5"), ("c5", "c9"), ("c9", "c12")):
        deliver(ledger, kind, built, before, after)
    announce(ledger, kind, "v1.0.0", built.sha["c4"])
    found = collect(ledger, http, None, tag_push(kind, "v1.1.0", built.sha["c12"]))
    assert (found.source, found.base, found.partial) == ("log", built.sha["c4"], None)
    assert [commit.id for commit in found.commits] == [built.sha[f"c{number}"] for number in range(12, 4, -1)]
    assert all(commit.files for commit in found.commits)
    assert found.is_proven is is_proven


def test_a_proven_chain_asks_the_forge_for_its_tags_only(ledger: Engine, http: httpx2.Client, tmp_path: Path) -> None:
    made = History()
    made.line("c", 8)
    made.tag("v1.0.0", "c3")
    made.tag("v1.1.0", "c8")
    built = made.build(tmp_path / "repository")
    deliver(ledger, "github", built, "c1", "c3")
    deliver(ledger, "github", built, "c3", "c8")
    with Forge("github") as forge:
        forge.add(NAME, built.path)
        found = collect(ledger, http, forge, tag_push("github", "v1.1.0", built.sha["c8"]))
        assert forge.total_calls == 1
    assert (found.source, found.is_proven, len(found.commits)) == ("log", True, 5)


def test_a_gitlab_chain_of_one_push_is_proven_by_one_more_call(ledger: Engine, http: httpx2.Client, tmp_path: Path) -> None:
    made = History()
    made.line("c", 8)
    made.tag("v1.0.0", "c3")
    made.tag("v1.1.0", "c8")
    built = made.build(tmp_path / "repository")
    deliver(ledger, "gitlab", built, "c3", "c8")
    with Forge("gitlab") as forge:
        forge.add(NAME, built.path)
        found = collect(ledger, http, forge, tag_push("gitlab", "v1.1.0", built.sha["c8"]))
        assert forge.total_calls == 2
    assert (found.source, found.is_proven, len(found.commits)) == ("log", True, 5)


def test_a_base_inside_a_push_is_left_to_the_forge(ledger: Engine, http: httpx2.Client, tmp_path: Path) -> None:
    made = History()
    made.line("c", 8)
    made.tag("v1.0.0", "c1")
    made.tag("v1.0.1", "c5")
    made.tag("v1.1.0", "c8")
    built = made.build(tmp_path / "repository")
    deliver(ledger, "github", built, "c1", "c8")
    push = tag_push("github", "v1.1.0", built.sha["c8"])
    with Forge("github") as forge:
        forge.add(NAME, built.path)
        found = collect(ledger, http, forge, push)
    assert (found.source, found.base) == ("api", built.sha["c5"])
    assert ids(found) == built.range(built.sha["c5"], built.sha["c8"])
    assert all(commit.files is not None for commit in found.commits), "the log's file lists are used"


def test_the_log_alone_says_what_it_cannot_know(ledger: Engine, http: httpx2.Client, tmp_path: Path) -> None:
    made = History()
    made.line("c", 9)
    built = made.build(tmp_path / "repository")
    deliver(ledger, "github", built, "c5", "c9")
    announce(ledger, "github", "v1.0.0", built.sha["c2"])
    found = collect(ledger, http, None, tag_push("github", "v1.1.0", built.sha["c9"]))
    assert "does not reach" in str(found.partial)
    assert not found.is_proven
    assert ids(found) == built.range(built.sha["c5"], built.sha["c9"])


@pytest.mark.parametrize("kind", ["github", "gitlab"])
def test_the_log_alone_lists_the_newest_of_the_push_that_made_the_branch_in_a_first_release(
    ledger: Engine, http: httpx2.Client, tmp_path: Path, kind: Kind
) -> None:
    made = History()
    made.line("c", 7)
    built = made.build(tmp_path / "repository")
    deliver(ledger, kind, built, None, "c5")
    deliver(ledger, kind, built, "c5", "c7")
    found = collect(ledger, http, None, tag_push(kind, "v1.0.0", built.sha["c7"]), CommitRules(first_release=6))
    assert [commit.id for commit in found.commits] == [built.sha[f"c{number}"] for number in range(7, 1, -1)]
    assert (found.source, found.base, found.is_proven) == ("log", None, False)


def test_the_log_alone_lists_what_a_cut_push_lists(ledger: Engine, http: httpx2.Client, tmp_path: Path) -> None:
    """GitLab lists the newest twenty of a push: they belong to the release, whatever came before them."""
    made = History()
    made.line("c", 40)
    built = made.build(tmp_path / "repository")
    announce(ledger, "gitlab", "v1.0.0", built.sha["c1"])
    deliver(ledger, "gitlab", built, "c1", "c35", most=20)
    deliver(ledger, "gitlab", built, "c35", "c40", most=20)
    found = collect(ledger, http, None, tag_push("gitlab", "v1.1.0", built.sha["c40"]))
    assert [commit.id for commit in found.commits] == [built.sha[f"c{number}"] for number in range(40, 15, -1)]
    assert "does not reach" in str(found.partial)
    assert not found.is_proven


# --- random histories ----------------------------------------------------------------------------------------------------


def earlier(built: Built, this: str, tags: dict[str, str], at: dict[str, int]) -> list[str]:
    """The earlier releases of a final `vN.0.0` by their definition, from parents and times alone."""
    head, number = built.sha[this], int(this[1:].partition(".")[0])
    behind = built.reachable(head)
    found = []
    for name, sha in tags.items():
        is_lower = int(name[1:].partition(".")[0]) < number
        is_beside = (
            is_lower and at[sha] <= at[head] and head not in built.reachable(sha) and bool(built.reachable(sha) & behind)
        )
        if sha != head and (sha in behind or is_beside):
            found.append(sha)
    return found


def git_list(built: Built, head: str, others: list[str]) -> set[str]:
    """`git rev-list HEAD --not OTHERS...`: the oracle."""
    return set(git(built.path, "rev-list", head, "--not", *others).decode().split())


@pytest.mark.parametrize("kind", ["github", "gitlab"])
@examples(25, HealthCheck.function_scoped_fixture)
@given(made=random_histories(clock="forward"))
def test_for_random_histories_the_ids_are_those_of_rev_list(
    ledger: Engine, http: httpx2.Client, tmp_path: Path, kind: Kind, made: History
) -> None:
    built = made.build(tmp_path / f"repository-{next(places)}")
    tags = {name: built.sha[name] for name in made.names if name != "main"}
    times = git(built.path, "log", "--all", "--format=%H %ct").decode().split("\n")
    at = {line.split()[0]: int(line.split()[1]) for line in times if line}
    with Forge(kind) as forge:
        forge.add(NAME, built.path)
        for tag, head in tags.items():
            push, rules = tag_push(kind, tag, head), CommitRules(file_calls=0, first_release=50)
            found = collect(ledger, http, forge, push, rules)
            others = earlier(built, tag, tags, at)
            assert ids(found) == git_list(built, head, others), (tag, found)
            assert (found.base is None) == (not others)
            assert set(found.bases) <= set(others)
            assert found.is_proven
            assert found.commits[0].id == head
            assert collect(ledger, http, forge, push, rules) == found, "asked twice"


@pytest.mark.parametrize("kind", ["github", "gitlab"])
@examples(15, HealthCheck.function_scoped_fixture)
@given(made=random_histories())
def test_with_clocks_of_all_directions_no_commit_of_an_ancestor_is_listed(
    ledger: Engine, http: httpx2.Client, tmp_path: Path, kind: Kind, made: History
) -> None:
    built = made.build(tmp_path / f"repository-{next(places)}")
    tags = {name: built.sha[name] for name in made.names if name != "main"}
    with Forge(kind) as forge:
        forge.add(NAME, built.path)
        for tag, head in tags.items():
            found = collect(ledger, http, forge, tag_push(kind, tag, head), CommitRules(file_calls=0, first_release=50))
            behind = [sha for sha in tags.values() if sha != head and sha in built.reachable(head)]
            assert head in ids(found)
            assert ids(found) <= built.reachable(head)
            if found.base is not None:
                assert not ids(found) & set().union(*(built.reachable(sha) for sha in [*behind, *found.bases]))

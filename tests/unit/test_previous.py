"""The previous release of a tag: the pitfalls as named cases, and the decided order against reachability itself."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.domain.tag_order import is_floating, may_precede, read_tag
from tests.unit.test_chain import Graph, between, graphs, reach
from worker.commits.previous_release import Relation, candidates, choose_previous


def linear(*names: str) -> Graph:
    return {name: tuple(names[max(0, index - 1) : index]) for index, name in enumerate(names)}


def choose(graph: Graph, this: str, tags: dict[str, str], asked: list[str] | None = None) -> tuple[str, str] | None:
    head = tags[this]

    def relate(sha: str) -> Relation | None:
        if asked is not None:
            asked.append(sha)
        if sha not in graph:
            return None
        related = bool(reach(graph, sha) & reach(graph, head))
        return Relation(sha in reach(graph, head), related, len(between(graph, sha, head)))

    found = choose_previous(
        this,
        candidates(this, head, tags),
        relate,
        lambda sha: frozenset(between(graph, sha, head)),
        lambda: sorted(reach(graph, head), reverse=True)[:100],
    )
    return (found.tag, found.how) if found else None


def test_the_last_lower_version_on_a_line_takes_one_question() -> None:
    asked: list[str] = []
    graph = linear("a", "b", "c", "d")
    assert choose(graph, "v1.2.0", {"v1.0.0": "a", "v1.1.0": "c", "v1.2.0": "d"}, asked) == ("v1.1.0", "nearest ancestor")
    assert asked == ["c"]


def test_a_backport_tagged_after_a_newer_major_counts_from_its_own_line() -> None:
    graph: Graph = {"r": (), "a": ("r",), "m": ("a",), "b": ("a",)}
    tags = {"v1.4.8": "a", "v2.0.0": "m", "v1.4.9": "b"}
    assert choose(graph, "v1.4.9", tags) == ("v1.4.8", "nearest ancestor")


def test_a_lower_version_on_a_side_branch_is_not_counted_from_when_an_ancestor_exists() -> None:
    graph: Graph = {"r": (), "a": ("r",), "side": ("a",), "m": ("a",)}
    tags = {"v2.0.0": "a", "v2.0.5": "side", "v2.1.0": "m"}
    assert choose(graph, "v2.1.0", tags) == ("v2.0.0", "nearest ancestor")


def test_release_commits_made_off_the_branch_count_from_the_highest_lower_version() -> None:
    graph: Graph = {"r": (), "one": ("r",), "m": ("r",), "two": ("m",)}
    assert choose(graph, "v2", {"v1": "one", "v2": "two"}) == ("v1", "lower version beside the branch")


def test_a_branch_that_forked_before_the_last_release_does_not_make_the_older_tag_look_nearer() -> None:
    graph: Graph = {"o": (), "x": ("o",), "y": ("x",), "n": ("y",), "side": ("o",), "merge": ("n", "side")}
    assert choose(graph, "v3", {"v1": "o", "v2": "n", "v3": "merge"}) == ("v2", "nearest ancestor")


def test_of_two_that_are_equally_near_the_highest_version_on_either_commit_counts() -> None:
    """v0 and v3 stand on one commit, v2 on the other: v0 is asked for first, since it is the next lower version."""
    graph: Graph = {"r": (), "one": ("r",), "two": ("r",), "m": ("one", "two")}
    tags = {"v0.0.0": "one", "v3.0.0": "one", "v2.0.0": "two", "v1.0.0": "m"}
    assert choose(graph, "v1.0.0", tags) == ("v3.0.0", "nearest ancestor")


def test_unrelated_history_has_no_previous_release() -> None:
    assert choose({"a": (), "b": ()}, "v2", {"v1": "a", "v2": "b"}) is None


def test_a_tag_whose_commit_is_gone_is_passed_over() -> None:
    graph = linear("a", "c")
    assert choose(graph, "v3", {"v1": "a", "v2": "gone", "v3": "c"}) == ("v1", "nearest ancestor")


def test_a_version_out_of_order_counts_from_what_lies_behind_it() -> None:
    graph = linear("a", "b", "c")
    assert choose(graph, "v1.0.1", {"v1.0.0": "a", "v2.0.0": "b", "v1.0.1": "c"}) == ("v2.0.0", "nearest ancestor")


@pytest.mark.parametrize(
    ("this", "candidate", "may"),
    [
        ("v1.1.0", "v1.0.0", True),
        ("api@1.2.0", "api@1.1.0", True),
        ("api@1.2.0", "web@1.1.0", False),
        ("web/v3", "web/v2", True),
        ("web/v3", "v2", False),
        ("v2.0.0", "v2.0.0-rc.1", False),
        ("v2.0.0-rc.2", "v2.0.0-rc.1", True),
        ("v2.0.0-rc.1", "v1.9.0", True),
        ("v2.0.0", "latest", False),
        ("v2.0.0", "nightly", False),
        ("api@2.0.0", "api@stable", False),
        ("v1.0.0", "v1.0.0", False),
        ("v1.0.1", "v1.0.0.post1", True),
    ],
)
def test_who_may_precede_whom(this: str, candidate: str, may: bool) -> None:
    assert may_precede(read_tag(candidate), read_tag(this)) is may


def test_a_tag_on_the_same_commit_is_no_predecessor() -> None:
    assert candidates("v1.2.3", "a", {"v1.2.2": "a", "v1.2.1": "b"}) == {"v1.2.1": "b"}


@pytest.mark.parametrize(
    ("lower", "higher"),
    [
        ("v1.2.3", "v1.2.10"),
        ("v1.9", "v1.10.0"),
        ("v2.0.0-rc.1", "v2.0.0"),
        ("v2.0.0-rc.2", "v2.0.0-rc.10"),
        ("v2.0.0-beta.9", "v2.0.0-rc.1"),
        ("1.0.0+5", "1.0.0+6"),
        ("1.0rc1", "1.0"),
        ("1.2.3.4", "1.2.3.5"),
        ("2024.01.02", "2024.10.01"),
        ("2024-01-02", "2024-02-01"),
        ("release-2024.10.01", "release-2024.10.02"),
        ("v1.0.0", "v1.0.0.post1"),
        ("v9999999999999999999999.0", "v9999999999999999999999.1"),
    ],
)
def test_versions_are_ordered_as_people_mean_them(lower: str, higher: str) -> None:
    assert read_tag(lower).order < read_tag(higher).order


@given(st.text(max_size=60), st.text(max_size=60))
def test_any_two_names_can_be_compared(one: str, other: str) -> None:
    assert (read_tag(one).order < read_tag(other).order) in (True, False)
    assert is_floating(one) in (True, False)


@settings(max_examples=400, deadline=None)
@given(graphs(), st.data())
def test_the_nearest_ancestor_is_found_whatever_the_history(graph: Graph, data: st.DataObject) -> None:
    shas = data.draw(st.lists(st.sampled_from(sorted(graph)), min_size=2, max_size=9))
    tags = {f"v{number}.0.0": sha for number, sha in enumerate(data.draw(st.permutations(shas)))}
    this = data.draw(st.sampled_from(sorted(tags)))
    head = tags[this]
    found = choose(graph, this, tags)
    ancestors = {sha for name, sha in tags.items() if name != this and sha != head and sha in reach(graph, head)}
    if ancestors:
        assert found is not None
        fewest = min(len(between(graph, sha, head)) for sha in ancestors)
        assert len(between(graph, tags[found[0]], head)) == fewest

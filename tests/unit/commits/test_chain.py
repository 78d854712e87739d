"""Chains of pushes: what the log proves equals what git would say, and what it cannot prove it does not claim."""

from __future__ import annotations

import itertools
from collections.abc import Mapping

from hypothesis import given
from hypothesis import strategies as st

from shared.domain.commit_range import LoggedPush
from tests.builders import examples
from tests.commit_graphs import Graph, between, graphs, reach
from worker.commits.push_chain import Chain, find_chain, is_link

ZERO = "0" * 40
counter = itertools.count(1)


def push(before: str, sha: str, ids: str, *, total: int | None = -1, forced: bool | None = False) -> LoggedPush:
    listed = tuple(ids.split())
    count = len(listed) if total == -1 else total
    return LoggedPush(
        seq=next(counter), ref="refs/heads/main", before=before, sha=sha, commit_ids=listed, total=count, is_forced=forced
    )


def log(*pushes: LoggedPush) -> dict[str, list[LoggedPush]]:
    by_head: dict[str, list[LoggedPush]] = {}
    for item in pushes:
        by_head.setdefault(item.sha or "", []).append(item)
    return by_head


def find(pushes: Mapping[str, list[LoggedPush]], head: str, *bases: str) -> Chain | None:
    return find_chain(head, bases, lambda sha: pushes.get(sha, []))


def test_an_unbroken_chain_gives_the_range_newest_first_and_proven() -> None:
    chain = find(log(push("a", "c", "b c"), push("c", "e", "d e")), "e", "a")
    assert chain is not None
    assert (chain.commit_ids, chain.is_proven, chain.links, chain.hidden) == (("e", "d", "c", "b"), True, 2, frozenset())


def test_the_nearest_of_several_bases_is_taken() -> None:
    chain = find(log(push("a", "c", "b c"), push("c", "e", "d e")), "e", "a", "c")
    assert chain is not None
    assert (chain.base, chain.commit_ids) == ("c", ("e", "d"))


def test_a_base_inside_a_push_is_not_split_but_told() -> None:
    chain = find(log(push("a", "e", "b c d e")), "e", "a", "c")
    assert chain is not None
    assert (chain.base, chain.hidden) == ("a", frozenset({"c"}))
    assert find(log(push("a", "e", "b c d e")), "e", "c") is None


def test_a_gap_a_cut_list_a_forced_push_and_a_new_branch_break_the_chain() -> None:
    assert find(log(push("a", "c", "b c"), push("d", "e", "e")), "e", "a") is None
    assert find(log(push("a", "c", "c", total=2)), "c", "a") is None
    assert find(log(push("a", "c", "b c", total=None)), "c", "a") is None
    assert find(log(push("a", "c", "b", total=1)), "c", "a") is None
    assert find(log(push("a", "c", "b c", forced=True)), "c", "a") is None
    assert find(log(push(ZERO, "c", "b c")), "c", ZERO) is None


def test_a_provider_that_does_not_say_forced_gives_an_unproven_chain() -> None:
    chain = find(log(push("a", "c", "b c", forced=None)), "c", "a")
    assert chain is not None
    assert not chain.is_proven


def test_another_branch_with_the_same_head_may_lead_to_the_base() -> None:
    chain = find(log(push("x", "c", "b c"), push("a", "c", "b c")), "c", "a")
    assert chain is not None
    assert chain.base == "a"


def test_pushes_in_a_circle_end() -> None:
    assert find(log(push("b", "a", "a"), push("a", "b", "b")), "a", "z") is None


def test_a_push_that_moved_nothing_new_is_still_a_link() -> None:
    assert is_link(push("a", "a", ""))
    assert not is_link(push("a", "b", ""))


# --- random histories: the oracle is reachability itself -------------------------------------------------------------


@st.composite
def pushed(draw: st.DrawFn) -> tuple[Graph, list[LoggedPush]]:
    """A history and pushes of two branches over it, told as GitHub tells them; some are lost on the way."""
    graph = draw(graphs())
    heads = {"refs/heads/main": "c00", "refs/heads/dev": "c00"}
    pushes = []
    for _ in range(draw(st.integers(1, 8))):
        ref, after = draw(st.sampled_from(sorted(heads))), draw(st.sampled_from(sorted(graph)))
        before, heads[ref] = heads[ref], after
        ids = tuple(sorted(between(graph, before, after)))
        told = LoggedPush(
            seq=next(counter),
            ref=ref,
            before=before,
            sha=after,
            commit_ids=ids,
            total=len(ids),
            is_forced=before not in reach(graph, after),
        )
        if draw(st.integers(0, 5)):
            pushes.append(told)
    return graph, pushes


@examples(400)
@given(pushed(), st.data())
def test_whatever_a_chain_claims_is_what_reachability_says(
    history: tuple[Graph, list[LoggedPush]], data: st.DataObject
) -> None:
    graph, pushes = history
    head = data.draw(st.sampled_from(sorted(graph)))
    bases = set(data.draw(st.lists(st.sampled_from(sorted(graph)), min_size=1, max_size=4))) - {head}
    chain = find(log(*pushes), head, *bases)
    if chain is None:
        return
    assert chain.is_proven
    assert chain.base in bases
    assert chain.base in reach(graph, head)
    assert set(chain.commit_ids) == between(graph, chain.base, head)
    nearer = {base for base in bases & reach(graph, head) if base not in reach(graph, chain.base)}
    assert nearer == chain.hidden, "an ancestor that is not behind the base must be told"

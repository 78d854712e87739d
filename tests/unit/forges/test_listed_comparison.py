"""A comparison made of lists of commits equals `git rev-list base..head`, whatever the graph and its clocks."""

from __future__ import annotations

import heapq
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.domain.push import Commit
from shared.errors import PermanentError, TransientError
from shared.forges.errors import Missing, RateLimited
from shared.forges.forge import Comparison, Unrelated
from shared.forges.listed_comparison import compare_by_lists, compare_or_list
from tests.builders import NOW, examples
from tests.commit_graphs import Graph, between, graphs, reach

SIZE = 3  # of a page


class Lists:
    """The lists of a history as a forge gives them; `times` in minutes. `asked` counts pages."""

    def __init__(self, graph: Graph, times: dict[str, int]) -> None:
        start = datetime(2026, 1, 1, tzinfo=UTC)
        self._commits = {
            sha: Commit(id=sha, message=sha, timestamp=start + timedelta(minutes=times[sha]), parents=parents)
            for sha, parents in graph.items()
        }
        self.asked: list[tuple[str, int]] = []

    def page(self, sha: str, number: int) -> list[Commit]:
        self.asked.append((sha, number))
        return self._by_time(sha)[(number - 1) * SIZE : number * SIZE]

    def _by_time(self, sha: str) -> list[Commit]:
        """As git lists them: of those whose child was listed, the youngest next."""
        found: list[Commit] = []
        waiting, seen = [self._entry(sha)], {sha}
        while waiting:
            this = self._commits[heapq.heappop(waiting)[1]]
            found.append(this)
            for parent in this.parents or ():
                if parent not in seen:
                    seen.add(parent)
                    heapq.heappush(waiting, self._entry(parent))
        return found

    def _entry(self, sha: str) -> tuple[float, str]:
        at = self._commits[sha].timestamp
        assert at is not None
        return -at.timestamp(), sha


@st.composite
def histories(draw: st.DrawFn) -> tuple[Graph, dict[str, int], str, str]:
    """A graph, its clocks (true ones, or any), and two of its commits."""
    graph = draw(graphs())
    is_true = draw(st.booleans())
    times: dict[str, int] = {}
    for sha, parents in graph.items():
        oldest = max((times[parent] for parent in parents), default=0)
        times[sha] = oldest + draw(st.integers(0, 3)) if is_true else draw(st.integers(0, 20))
    base, head = (draw(st.sampled_from(sorted(graph))) for _ in range(2))
    return graph, times, base, head


@given(histories())
@examples(500)
def test_the_lists_give_what_rev_list_gives(given_: tuple[Graph, dict[str, int], str, str]) -> None:
    graph, times, base, head = given_
    found = compare_by_lists(Lists(graph, times).page, base, head, SIZE)
    if not reach(graph, base) & reach(graph, head):
        assert isinstance(found, Unrelated)
        return
    assert isinstance(found, Comparison)
    assert found.is_complete
    assert {commit.id for commit in found.commits} == between(graph, base, head)
    assert found.base_is_ancestor == (base in reach(graph, head))
    assert found.merge_base in reach(graph, base) & reach(graph, head)
    if found.commits:
        assert found.commits[0].id == head


LINE: Graph = {f"c{number:03}": (f"c{number - 1:03}",) if number else () for number in range(100)}
TIMES = {sha: number for number, sha in enumerate(LINE)}


def test_an_ancestor_costs_the_pages_of_the_range_and_no_more() -> None:
    lists = Lists(LINE, TIMES)
    found = compare_by_lists(lists.page, "c090", "c099", SIZE)
    assert isinstance(found, Comparison)
    assert len(found.commits) == 9
    assert lists.asked == [("c099", 1), ("c090", 1), ("c099", 2), ("c099", 3)]


def test_a_history_whose_clocks_run_backwards_is_read_to_its_end() -> None:
    lists = Lists(LINE, {**TIMES, "c097": 500})
    found = compare_by_lists(lists.page, "c095", "c099", SIZE)
    assert isinstance(found, Comparison)
    assert len(found.commits) == 4
    assert len(lists.asked) > 30


def test_a_forge_that_names_no_parents_decides_nothing() -> None:
    assert compare_by_lists(lambda sha, _: [Commit(id=sha, message="")], "a", "b", SIZE) is None


LIMITED = RateLimited("limited", scope="s", until=NOW, now=NOW, status=429)
OTHERS = [
    TransientError("no answer"),
    LIMITED,
    Missing("no", name="x", status=404),
    PermanentError("no", reason="r", status=401),
]


@pytest.mark.parametrize("problem", OTHERS)
def test_what_is_no_failed_comparison_is_raised_as_it_is(problem: Exception) -> None:
    lists = Lists(LINE, TIMES)
    with pytest.raises(type(problem)):
        compare_or_list(raising(problem), lists.page, "c098", "c099")
    assert lists.asked == []


@pytest.mark.parametrize(
    "problem", [TransientError("down", status=502), PermanentError("too large", reason="forge_refused", status=422)]
)
def test_a_failed_comparison_is_made_of_lists_and_stays_failed_where_they_fail(problem: Exception) -> None:
    found = compare_or_list(raising(problem), Lists(LINE, TIMES).page, "c098", "c099")
    assert isinstance(found, Comparison)
    assert found.total == 1

    def fails(sha: str, number: int) -> list[Commit]:
        raise TransientError("down, too", status=503)

    with pytest.raises(type(problem), match=str(problem)):
        compare_or_list(raising(problem), fails, "c098", "c099")

    def limits(sha: str, number: int) -> list[Commit]:
        raise LIMITED

    with pytest.raises(RateLimited):
        compare_or_list(raising(problem), limits, "c098", "c099")


def raising(problem: Exception) -> Callable[[], Comparison]:
    def compare() -> Comparison:
        raise problem

    return compare

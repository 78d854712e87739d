"""Random histories of commits, and what is reachable in them."""

from __future__ import annotations

from hypothesis import strategies as st

Graph = dict[str, tuple[str, ...]]


def reach(graph: Graph, sha: str) -> set[str]:
    seen: set[str] = set()
    waiting = [sha]
    while waiting:
        here = waiting.pop()
        if here not in seen:
            seen.add(here)
            waiting += graph[here]
    return seen


def between(graph: Graph, base: str, head: str) -> set[str]:
    return reach(graph, head) - reach(graph, base)


@st.composite
def graphs(draw: st.DrawFn) -> Graph:
    graph: Graph = {}
    for number in range(draw(st.integers(2, 14))):
        names = sorted(graph)
        parents = draw(st.lists(st.sampled_from(names), min_size=1, max_size=2, unique=True)) if names else []
        graph[f"c{number:02}"] = tuple(parents)
    return graph

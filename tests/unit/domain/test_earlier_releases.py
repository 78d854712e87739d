"""The rule of docs/decisions/0008 over small graphs: every row of its table, and the rule's own definition as the oracle."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.domain.earlier_releases import MOST_TRIES, allowed, find_earlier
from shared.domain.release_question import Difference, Earlier, FirstRelease, Newest, Question, Release
from shared.domain.tag_names import read_tag
from tests.builders import examples
from tests.release_tables import ROWS, Row, read_history, read_tags

START = datetime(2026, 1, 1, tzinfo=UTC)
Graph = Mapping[str, tuple[str, ...]]


def reach(graph: Graph, sha: str) -> set[str]:
    seen, todo = set(), [sha]
    while todo:
        if (at := todo.pop()) not in seen:
            seen.add(at)
            todo += graph[at]
    return seen


class Asked:
    """A forge over a graph that is written oldest first. `minutes` are the commits' times, by default their places."""

    def __init__(self, graph: Graph, minutes: Mapping[str, int] | None = None, *, cut: int = 10_000) -> None:
        self.graph = graph
        self.at = {sha: START + timedelta(minutes=minutes[sha] if minutes else n) for n, sha in enumerate(graph)}
        self.compared: list[str] = []
        self.cut = cut

    def question(
        self, this: str, sha: str, *, most_more: int = 100, most_newest: int = 100, counts_prereleases: bool = False
    ) -> Question:
        head = [at for at in reversed(list(self.graph)) if at in reach(self.graph, sha)]

        def compare(base: str) -> Difference | None:
            if base not in self.compared:
                self.compared.append(base)
            if base not in self.graph or not reach(self.graph, base) & set(head):
                return None
            left = [at for at in head if at not in reach(self.graph, base)]
            common = [at for at in reversed(list(self.graph)) if at in reach(self.graph, base) and at in head]
            return Difference(
                parents={at: self.graph[at] for at in left[: self.cut]},
                times={at: self.at[at] for at in left},
                is_complete=len(left) <= self.cut,
                is_ancestor=base in head,
                merge_base=common[0],
                base_at=self.at[base],
            )

        return Question(
            this=read_tag(this),
            sha=sha,
            at=self.at[sha],
            compare=compare,
            newest=lambda: Newest(head[:most_newest], len(head) <= most_newest),
            most_more=most_more,
            counts_prereleases=counts_prereleases,
        )

    def releases(self, tags: Mapping[str, str], *, timed: bool = True) -> list[Release]:
        return [Release(read_tag(name), sha, self.at[sha] if timed else None) for name, sha in tags.items()]


def ask(row: Row, *, timed: bool = True, counts_prereleases: bool = False) -> tuple[Earlier | FirstRelease, Asked]:
    asked, tags = Asked(read_history(row.history)), read_tags(row.tags)
    question = asked.question(row.this, tags[row.this], counts_prereleases=counts_prereleases)
    return find_earlier(question, asked.releases(tags, timed=timed)), asked


@pytest.mark.parametrize("timed", [True, False], ids=["with times", "without times"])
@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.about)
def test_the_table(row: Row, timed: bool) -> None:
    found, asked = ask(row, timed=timed)
    if isinstance(found, FirstRelease):
        assert not row.bases
        assert reach(asked.graph, read_tags(row.tags)[row.this]) == set(row.lists.split())
    else:
        assert [base.tag.name for base in found.bases] == row.bases.split()
        assert set(found.ids) == set(row.lists.split())
    assert found.undecided == 0


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.about)
def test_with_known_times_one_comparison_settles_nearly_all(row: Row) -> None:
    _, asked = ask(row)
    assert len(asked.compared) <= (2 if row.about in ("two bases", "no common history") else 1)


@pytest.mark.parametrize(
    ("about", "how"),
    [
        ("a backport", "ancestor"),
        ("every release beside", "beside"),
        ("pre-releases of another number", "pre_releases"),
        ("renamed", "other_line"),
    ],
)
def test_how_it_was_found(about: str, how: str) -> None:
    found, _ = ask(next(row for row in ROWS if row.about == about))
    assert isinstance(found, Earlier)
    assert found.how == how


def test_a_setting_lets_finals_count_from_prereleases() -> None:
    found, _ = ask(next(row for row in ROWS if row.about == "final, not from an rc"), counts_prereleases=True)
    assert isinstance(found, Earlier)
    assert ([base.tag.name for base in found.bases], found.ids) == (["2.0.0-rc.2"], ("d",))


def test_a_setting_names_a_release_to_count_from_whatever_its_name() -> None:
    """Numbered anew, with release commits beside the branch: nothing in the names says that 2024.9 came before."""
    asked = Asked(read_history("a b r^b c^b d"))
    question = asked.question("1.0.0", "d")
    tags = asked.releases({"2024.9": "r", "1.0.0": "d"})
    assert isinstance(find_earlier(question, tags), FirstRelease)
    fixed = Question(
        this=question.this,
        sha="d",
        at=question.at,
        compare=question.compare,
        newest=question.newest,
        fixed=(tags[0],),
    )
    found = find_earlier(fixed, tags)
    assert isinstance(found, Earlier)
    assert (found.how, found.ids) == ("configured", ("d", "c"))


def test_a_cut_comparison_gives_way_to_a_nearer_ancestor() -> None:
    asked = Asked(read_history("a b c d e f g"), cut=4)
    tags = asked.releases({"1.9": "a", "9.0": "e", "2.0": "g"})
    found = find_earlier(asked.question("2.0", "g"), tags)
    assert isinstance(found, Earlier)
    assert (found.is_complete, found.ids, found.bases[0].tag.name) == (True, ("g", "f"), "9.0")


def test_a_cut_comparison_is_no_whole_list() -> None:
    asked = Asked(read_history("a b c d e f g"), cut=4)
    found = find_earlier(asked.question("2.0", "g"), asked.releases({"1.9": "a", "2.0": "g"}))
    assert isinstance(found, Earlier)
    assert (found.is_complete, found.ids) == (False, ("g", "f", "e", "d"))


def test_what_was_not_asked_is_counted() -> None:
    """Three old branches, each cut after `b`: all could share a commit with the tag, and one question is allowed."""
    asked = Asked(read_history("a b x^b y^b z^b c^b"))
    tags = {"1.0": "a", "1.1.1": "x", "1.2.1": "y", "1.3.1": "z", "2.0": "c"}
    everything = find_earlier(asked.question("2.0", "c"), asked.releases(tags))
    assert isinstance(everything, Earlier)
    assert (everything.ids, everything.undecided) == (("c",), 0)
    graph = read_history("a m^a b^m x^b y^m z^m c^b d^c")
    untimed = Asked(graph)
    found = find_earlier(
        untimed.question("2.0", "d", most_more=1),
        untimed.releases({"1.1.1": "x", "1.2.1": "y", "1.3.1": "z", "2.0": "d"}, timed=False),
    )
    assert isinstance(found, Earlier)
    assert (set(found.ids), found.undecided) == ({"b", "c", "d"}, 1)


# --- the definition ------------------------------------------------------------------------------------------------------


def expected(asked: Asked, this: str, tags: Mapping[str, str]) -> set[str]:
    """T and what no earlier release of the line reaches, from the definition alone."""
    head = tags[this]
    reached = reach(asked.graph, head)
    taken: set[str] = set()
    for name, sha in earlier(asked, this, tags):
        del name
        taken |= reach(asked.graph, sha)
    return reached - taken


def earlier(asked: Asked, this: str, tags: Mapping[str, str]) -> Iterable[tuple[str, str]]:
    head, reached = tags[this], reach(asked.graph, tags[this])
    for release in allowed(asked.question(this, head), asked.releases(tags)):
        other = reach(asked.graph, release.sha)
        is_beside = release.tag.is_lower(read_tag(this)) and head not in other and asked.at[release.sha] <= asked.at[head]
        if release.sha in reached or (is_beside and other & reached):
            yield release.tag.name, release.sha


NAMES = ["1.0", "1.0.1", "1.1-rc1", "1.1", "1.1-sp1", "1.2a", "1.2", "2.0-rc1", "2.0", "2.0.1", "2.1-ee", "2.1", "0.9"]


@st.composite
def histories(draw: st.DrawFn) -> tuple[dict[str, tuple[str, ...]], dict[str, int], dict[str, str]]:
    """A graph, times that never fall from parent to child, and tags."""
    graph: dict[str, tuple[str, ...]] = {}
    minutes: dict[str, int] = {}
    for number in range(draw(st.integers(2, 14))):
        near = list(graph)[-5:]
        parents = (
            draw(st.lists(st.sampled_from(near), min_size=0 if draw(st.integers(0, 9)) == 0 else 1, max_size=2, unique=True))
            if near
            else []
        )
        graph[f"c{number}"] = tuple(parents)
        minutes[f"c{number}"] = max((minutes[parent] for parent in parents), default=0) + draw(st.integers(0, 3))
    names = draw(st.lists(st.sampled_from(NAMES), min_size=1, max_size=8, unique=True))
    return graph, minutes, {name: draw(st.sampled_from(list(graph))) for name in names}


@examples(600)
@given(histories(), st.booleans(), st.data())
def test_the_list_is_the_definition(
    made: tuple[dict[str, tuple[str, ...]], dict[str, int], dict[str, str]], timed: bool, data: st.DataObject
) -> None:
    graph, minutes, tags = made
    this = data.draw(st.sampled_from(sorted(tags)))
    asked = Asked(graph, minutes)
    question = asked.question(this, tags[this])
    found = find_earlier(question, asked.releases(tags, timed=timed))
    before = dict(earlier(asked, this, tags))
    if isinstance(found, Earlier) and found.how in ("ancestor", "beside"):
        assert set(found.ids) == expected(asked, this, tags)
        assert tags[this] in found.ids
        assert found.undecided == 0
        nearest = min(before.values(), key=lambda sha: len(reach(graph, tags[this]) - reach(graph, sha)))
        head = reach(graph, tags[this])
        assert len(head - reach(graph, found.bases[0].sha)) == len(head - reach(graph, nearest))
    else:
        assert not before
    again = find_earlier(Asked(graph, minutes).question(this, tags[this]), asked.releases(tags, timed=timed))
    assert again == found, "asked twice"


@examples(300)
@given(histories(), st.data())
def test_with_few_questions_a_list_is_right_or_says_that_it_may_not_be(
    made: tuple[dict[str, tuple[str, ...]], dict[str, int], dict[str, str]], data: st.DataObject
) -> None:
    graph, minutes, tags = made
    this = data.draw(st.sampled_from(sorted(tags)))
    asked = Asked(graph, minutes)
    question = asked.question(
        this, tags[this], most_more=data.draw(st.integers(0, 1)), most_newest=data.draw(st.integers(1, 4))
    )
    found = find_earlier(question, asked.releases(tags, timed=data.draw(st.booleans())))
    if isinstance(found, Earlier) and found.how in ("ancestor", "beside"):
        assert set(found.ids) >= expected(asked, this, tags)
        if not found.undecided:
            assert set(found.ids) == expected(asked, this, tags)


@examples(300)
@given(histories(), st.data())
def test_younger_releases_that_are_no_ancestors_change_nothing(
    made: tuple[dict[str, tuple[str, ...]], dict[str, int], dict[str, str]], data: st.DataObject
) -> None:
    graph, minutes, tags = made
    this = data.draw(st.sampled_from(sorted(tags)))
    head = tags[this]
    then = {name: sha for name, sha in tags.items() if minutes[sha] <= minutes[head] or sha in reach(graph, head)}
    asked = Asked(graph, minutes)
    question = asked.question(this, head)
    later = find_earlier(question, asked.releases(tags))
    at_once = find_earlier(question, asked.releases(then))
    if isinstance(later, Earlier) and later.how in ("ancestor", "beside"):
        assert later == at_once


OLD_NAME = "a b c d e f g h"


@pytest.mark.parametrize(
    ("tags", "how"),
    [
        ({"shop-1.0": "a", "2.0": "h"}, "other_line"),  # one other line lies behind: the project was renamed
        ({"shop-1.0": "a", "till-1.0": "b", "2.0": "h"}, None),  # two: it is a new part of a monorepo
        ({"shop-1.0": "a", "till-1.0": "b", "api-1.0": "c", "2.0": "h"}, None),
        ({"shop-1.0": "x", "2.0": "h"}, None),  # the other line shares no history
    ],
)
def test_another_line_behind_the_newest_commits_is_found_by_asking(tags: dict[str, str], how: str | None) -> None:
    asked = Asked({**read_history(OLD_NAME), "x": ()})
    found = find_earlier(asked.question("2.0", "h", most_newest=2), asked.releases(tags))
    assert (found.how if isinstance(found, Earlier) else None) == how


def test_lines_that_are_too_many_to_ask_are_counted_as_undecided() -> None:
    asked = Asked({"x": (), **read_history(OLD_NAME)})
    tags = {**{f"part{n}-1.0": "x" for n in range(MOST_TRIES + 2)}, "2.0": "h"}
    found = find_earlier(asked.question("2.0", "h", most_newest=2), asked.releases(tags))
    assert isinstance(found, FirstRelease)
    assert found.undecided > 0


def test_a_release_of_a_higher_number_behind_the_newest_commits_is_found_by_asking() -> None:
    asked = Asked(read_history(OLD_NAME))
    found = find_earlier(asked.question("1.0", "h", most_newest=2), asked.releases({"3.0": "b", "1.0": "h"}))
    assert isinstance(found, Earlier)
    assert ([base.tag.name for base in found.bases], found.how) == (["3.0"], "ancestor")


def test_releases_that_were_made_later_are_told_by_their_times_and_not_compared() -> None:
    later = {f"v{n}": (f"v{n - 1}" if n else "h",) for n in range(2 * MOST_TRIES)}
    asked = Asked({**read_history(OLD_NAME), **later})
    tags = asked.releases({"shop-1.0": "a", "2.0": "h", **{f"3.{n}": f"v{n}" for n in range(2 * MOST_TRIES)}}, timed=False)
    question = replace(asked.question("2.0", "h", most_newest=2), times=lambda shas: {sha: asked.at[sha] for sha in shas})
    found = find_earlier(question, tags)
    assert isinstance(found, Earlier)
    assert (found.how, found.undecided, asked.compared) == ("other_line", 0, ["a"])


def test_an_ancestor_that_forked_off_before_the_first_takes_away_also_where_nothing_more_may_be_asked() -> None:
    asked = Asked({"a": (), "b": ("a",), "c": ("a",), "d": ("b", "c")})
    tags = asked.releases({"1.1": "b", "1.0.5": "c", "2.0": "d"})
    found = find_earlier(asked.question("2.0", "d", most_more=0), tags)
    assert isinstance(found, Earlier)
    assert (set(found.ids), {base.tag.name for base in found.bases}) == ({"d"}, {"1.1", "1.0.5"})


def test_a_release_beside_whose_comparison_is_cut_is_counted_as_undecided() -> None:
    graph = {"a": (), "b": ("a",), "c": ("b",), "d": ("c",), "e": ("d",), "x": ("a",), "f": ("e",)}
    asked = Asked(graph, cut=3)
    found = find_earlier(asked.question("2.0", "f"), asked.releases({"1.9": "d", "1.5": "x", "2.0": "f"}))
    assert isinstance(found, Earlier)
    assert (set(found.ids), found.undecided) == ({"e", "f"}, 1)


def test_what_two_ways_lead_to_is_reached_once() -> None:
    asked = Asked({"a": (), "p": ("a",), "q": ("p",), "r": ("p",), "s": ("q", "r"), "t": ("s",)})
    found = find_earlier(asked.question("2.0", "t"), asked.releases({"1.5": "a", "1.2": "s", "2.0": "t"}))
    assert isinstance(found, Earlier)
    assert found.ids == ("t",)


@pytest.mark.parametrize("name", ["2.0.0-rc.1", "latest", "before-refactor"])
def test_what_is_no_final_release_and_has_nothing_before_it_is_a_first_one(name: str) -> None:
    asked = Asked(read_history("a b"))
    assert find_earlier(asked.question(name, "b"), asked.releases({name: "b"})) == FirstRelease(0)

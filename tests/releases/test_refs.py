"""refs[] and headCommits[] (1.6), and how they become commits from what this server knows."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
import sqlalchemy as sa

from releases.refs_resolver.ranges import FIRST_RELEASE, MOST_COMMITS, Found, Stored, Unknown, find_range
from releases.tables.releases import release_ranges
from tests.releases.bodies import commit, ref
from tests.releases.caller import Caller
from tests.releases.reading import heads, ids


def note(api: Caller) -> list[str | None]:
    with api.app.extensions["releases"].reader.begin() as connection:
        return list(connection.execute(sa.select(release_ranges.c.note)).scalars())


@pytest.fixture
def known(either_api: Caller) -> Caller:
    """Two releases' commits of repository shop are stored: c3 c2 c1, then c6 c5 c4."""
    either_api.made("1.0", commits=commit("c3", "c2", "c1"))
    either_api.made("2.0", commits=commit("c6", "c5", "c4"))
    return either_api


def test_1_6_straight_after_refs_alone_nothing_is_counted(known: Caller) -> None:
    answer = known.release("3.0", refs=[ref("unheard-of")])
    assert (answer.status_code, answer.json["commitCount"], answer.json["lastCommit"]) == (201, None, None)


def test_1_6_unknown_repositories_are_named_and_case_counts(known: Caller) -> None:
    answer = known.release("3.0", refs=[ref("a", "y"), ref("a", "Shop"), ref("a")])
    assert (answer.status_code, answer.json) == (400, {"refs": ["Invalid repository names: Shop,y"]})
    assert known.get("releases/3.0/").status_code == 404


def test_1_6_previous_commit_begins_the_range(known: Caller) -> None:
    known.made("3.0", refs=[ref("c5", previousCommit="c2")])
    known.settle()
    shown = known.shown("3.0")
    assert ids(known, "3.0") == ["c5", "c4", "c3"]
    assert (shown["commitCount"], shown["lastCommit"]["id"]) == (3, "c5")
    assert [one["email"] for one in shown["authors"]] == ["c5@acme.test", "c4@acme.test", "c3@acme.test"]


def test_1_6_a_range_overrides_previous_commit(known: Caller) -> None:
    known.made("3.0", refs=[ref("c4..c6", previousCommit="c1")])
    known.settle()
    assert ids(known, "3.0") == ["c6", "c5"]


def test_1_6_without_start_the_previous_release_of_a_shared_project_decides(known: Caller) -> None:
    known.made("1.5", projects=["pump-station"], commits=commit("c1"))
    known.made("3.0", projects=["pump-station"], refs=[ref("c3")])
    known.settle()
    assert ids(known, "3.0") == ["c3", "c2"]


def test_1_6_the_previous_release_is_the_newest_by_release_date(known: Caller) -> None:
    known.put("releases/1.0/", {"dateReleased": "2999-01-01T00:00:00Z"})
    known.made("3.0", refs=[ref("c5")])
    known.settle()
    assert ids(known, "3.0") == ["c5", "c4"]


def test_1_6_head_commits_count_only_where_refs_say_nothing(known: Caller) -> None:
    old = [{"repository": "shop", "currentId": "c5", "previousId": "c4"}]
    known.made("3.0", headCommits=old)
    known.made("4.0", refs=[], headCommits=old)
    known.made("5.0", refs=[ref("c6", previousCommit="c4")], headCommits=old)
    known.settle()
    assert [ids(known, version) for version in ("3.0", "4.0", "5.0")] == [["c5"], ["c5"], ["c6", "c5"]]


def test_1_6_head_commits_may_be_ranges(known: Caller) -> None:
    known.made("3.0", headCommits=[{"repository": "shop", "currentId": "c4..c6", "previousId": "c1"}])
    known.settle()
    assert ids(known, "3.0") == ["c6", "c5"]


def test_1_6_an_empty_list_does_nothing_on_post(known: Caller) -> None:
    assert known.made("2.0", refs=[])["commitCount"] == 3


def test_1_6_of_two_refs_for_one_repository_the_last_wins(api: Caller) -> None:
    api.made("1.0", commits=commit("a1"))
    api.made("2.0", refs=[ref("x1"), ref("x2")])
    api.settle()
    assert ("shop", "x2") in heads(api)
    assert ("shop", "x1") not in heads(api)


def test_1_6_refs_overwrite_the_head_that_commits_set(api: Caller) -> None:
    api.made(commits=commit("a1"))
    api.made(refs=[ref("a9")])
    assert heads(api) == [("shop", "a9")]


def test_1_6_with_commits_refs_set_heads_and_look_for_nothing(known: Caller) -> None:
    shown = known.made("3.0", commits=commit("c7"), refs=[ref("c7", previousCommit="c1")])
    known.settle()
    assert (shown["commitCount"], ids(known, "3.0"), note(known)) == (1, ["c7"], [])


def test_1_6_ranges_of_several_repositories_are_joined(known: Caller) -> None:
    known.made("2.5", commits=commit("d2", "d1", repository="docs"))
    known.made("3.0", refs=[ref("c5..c6"), ref("d1..d2", "docs")])
    known.settle()
    assert ids(known, "3.0") == ["c6", "d2"]


def test_1_6_what_is_not_known_is_said_and_completed_later(known: Caller) -> None:
    known.made("3.0", refs=[ref("c8", previousCommit="c6")])
    known.settle()
    assert (note(known), known.shown("3.0")["commitCount"]) == (["shop: commit c8 is not known here yet"], None)
    known.made("2.5", projects=["pump-station"], commits=commit("c8", "c7"))
    known.settle()
    assert (ids(known, "3.0"), note(known)) == (["c8", "c7"], [])


def test_1_6_commits_sent_later_end_the_waiting(known: Caller) -> None:
    known.made("3.0", refs=[ref("unheard-of")])
    known.settle()
    known.made("3.0", commits=commit("z1"))
    assert note(known) == []


def test_1_6_refs_of_a_stopped_server_are_found_at_the_next_start(known: Caller) -> None:
    finder = known.app.finder
    asked, finder.ask = finder.ask, lambda release_id: None  # type: ignore[method-assign]
    try:
        engine = known.app.extensions["releases"].engine
        with engine.begin() as connection:
            known_release = known.shown("2.0")["id"]
            row = {"release_id": known_release, "repository_id": 1, "position": 0, "start_key": "c1", "end_key": "c3"}
            connection.execute(sa.insert(release_ranges).values(row))
    finally:
        finder.ask = asked  # type: ignore[method-assign]
    finder.resume()
    known.settle()
    assert ids(known, "2.0") == ["c3", "c2"]


def stored(*keys: str) -> list[Stored]:
    return [Stored(n, key) for n, key in enumerate(keys)]


RANGES: list[tuple[str, Sequence[Sequence[Stored]], str | None, str, list[str] | str]] = [
    ("whole list", [stored("c", "b", "a")], "a", "c", ["c", "b"]),
    ("starts inside", [stored("c", "b", "a")], "a", "b", ["b"]),
    ("over two lists", [stored("d", "c"), stored("b", "a")], "a", "d", ["d", "c", "b"]),
    ("overlapping lists", [stored("d", "c", "b"), stored("c", "b", "a")], "a", "d", ["d", "c", "b"]),
    ("a list that reaches higher", [stored("b"), stored("c", "b", "a")], "a", "b", ["b"]),
    ("same ends", [stored("b", "a")], "b", "b", []),
    ("no start, short", [stored("b", "a")], None, "b", ["b", "a"]),
    ("end unknown", [], "a", "b", "commit b is not known here yet"),
    ("start unknown", [stored("c", "b")], "a", "c", "commit a, where the release begins, is not known here"),
]


@pytest.mark.parametrize(("lists", "start", "end", "result"), [row[1:] for row in RANGES], ids=[row[0] for row in RANGES])
def test_range(lists: Sequence[Sequence[Stored]], start: str | None, end: str, result: list[str] | str) -> None:
    found = find_range(lists, start, end)
    if isinstance(result, str):
        assert found == Unknown(result)
    else:
        assert isinstance(found, Found)
        assert [one.key for one in found.commits] == result


def test_range_of_a_first_release_is_short_and_of_any_bounded() -> None:
    many = stored(*(str(n) for n in range(MOST_COMMITS + 5)))
    first = find_range([many], None, "0")
    assert isinstance(first, Found)
    assert len(first.commits) == FIRST_RELEASE
    assert isinstance(find_range([many], "unheard-of", "0"), Unknown)

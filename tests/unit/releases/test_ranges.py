"""From where to where a release goes, in commits that earlier releases brought."""

from __future__ import annotations

import pytest

from releases.refs_resolver.ranges import FIRST_RELEASE, MOST_COMMITS, Found, Stored, Unknown, find_range


def stored(keys: str) -> list[Stored]:
    return [Stored(ord(key), key) for key in keys]


@pytest.mark.parametrize(
    ("lists", "start", "end", "picked"),
    [
        (["edc", "cba"], "c", "e", "ed"),
        (["edc", "ba"], "a", "e", "edcb"),  # the next list follows on the one before
        (["edc", "cba"], "a", "d", "dcb"),  # it begins within a list; what two lists hold counts once
        (["e", "e", "d"], "d", "e", "e"),
        (["edc"], None, "d", "dc"),  # nothing says where it began
        (["c"], "c", "c", ""),
    ],
)
def test_the_commits_after_the_start_up_to_the_end(lists: list[str], start: str | None, end: str, picked: str) -> None:
    found = find_range(map(stored, lists), start, end)
    assert found == Found(tuple(stored(picked)))


@pytest.mark.parametrize(
    ("lists", "start", "end", "note"),
    [
        (["cba"], "a", "x", "commit x is not known here yet"),
        ([], None, "x", "commit x is not known here yet"),
        (["cba"], "x", "c", "commit x, where the release begins, is not known here"),
    ],
)
def test_what_is_not_known_is_said(lists: list[str], start: str | None, end: str, note: str) -> None:
    assert find_range(map(stored, lists), start, end) == Unknown(note)


def test_a_first_release_gets_a_few_and_no_release_more_than_the_bound() -> None:
    many = [Stored(number, f"{number:05}") for number in range(MOST_COMMITS + 2)]
    first = find_range([many], None, "00000")
    assert isinstance(first, Found)
    assert first.commits == tuple(many[:FIRST_RELEASE])
    assert find_range([many], "x", "00000") == Unknown("more than 10000 commits lie before 00000")

"""Cursors and the Link header."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from releases.http import pagination
from releases.http.pagination import Cursor, Turn
from tests.builders import NOW, examples

TICKS = pagination.to_ticks(NOW)


@pytest.mark.parametrize(
    ("text", "cursor"),
    [
        (None, None),
        ("", None),
        ("100:2:0", Cursor(100, 2)),
        ("-5:0:1", Cursor(-5, 0, True)),
        ("9" * 18 + ":1:0", Cursor(10**18 - 1, 1)),
    ],
)
def test_a_cursor_is_read(text: str | None, cursor: Cursor | None) -> None:
    assert pagination.parse_cursor(text) == cursor


@pytest.mark.parametrize("text", ["1", "1:2", "1:2:3", "a:b:0", "1:2:0:", "٣:2:0", "9" * 19 + ":1:0", "1:2:0\n"])
def test_another_text_is_no_cursor(text: str) -> None:
    with pytest.raises(ValueError, match="Invalid cursor parameter"):
        pagination.parse_cursor(text)


@given(st.integers(-(10**18) + 1, 10**18 - 1), st.integers(-(10**18) + 1, 10**18 - 1), st.booleans())
@examples(100)
def test_a_cursor_comes_back_as_it_was_given_out(value: int, offset: int, is_previous: bool) -> None:
    cursor = Cursor(value, offset, is_previous)
    assert pagination.parse_cursor(str(cursor)) == cursor


@pytest.mark.parametrize(("text", "size"), [(None, 100), ("1", 1), ("100", 100), ("+7", 7), (" 7 ", 7)])
def test_a_page_size_is_read(text: str | None, size: int) -> None:
    assert pagination.parse_page_size(text) == size


@pytest.mark.parametrize(
    ("text", "says"),
    [("", "Invalid per_page parameter."), ("ten", "Invalid per_page parameter."), ("٣", "Invalid per_page parameter."),
     ("9" * 10, "Invalid per_page parameter."), ("0", "Must be between 1 and 100."), ("101", "Must be between 1 and 100."),
     ("-1", "Must be between 1 and 100.")],
)  # fmt: skip
def test_another_page_size_is_refused_in_the_originals_words(text: str, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        pagination.parse_page_size(text)


def test_ticks_are_microseconds_and_name_the_same_moment_again() -> None:
    assert pagination.from_ticks(TICKS) == NOW
    assert pagination.to_ticks(datetime(1970, 1, 1, 0, 0, 1, tzinfo=UTC)) == 1_000_000
    with pytest.raises(ValueError, match="Invalid cursor parameter"):
        pagination.from_ticks(10**18)


@pytest.mark.parametrize(
    ("cursor", "has_more", "previous", "following"),
    [
        (None, True, False, True),  # the first page
        (None, False, False, False),  # the only one
        (Cursor(TICKS, 9), True, True, True),
        (Cursor(TICKS, 9), False, True, False),  # the last one
        (Cursor(TICKS, 1, True), True, True, True),
        (Cursor(TICKS, 1, True), False, False, True),  # back at the beginning
    ],
)
def test_a_list_by_key_says_on_which_side_there_is_more(
    cursor: Cursor | None, has_more: bool, previous: bool, following: bool
) -> None:
    turn = pagination.turn_by_key(cursor, [(NOW, 8), (NOW, 5)], has_more=has_more)
    assert (turn.has_previous, turn.has_next) == (previous, following)
    assert (turn.previous, turn.next) == (Cursor(TICKS, 8, True), Cursor(TICKS, 5))


@pytest.mark.parametrize(("cursor", "place"), [(None, (0, 0)), (Cursor(7, 3), (7, 3))])
def test_an_empty_page_stays_where_it_is(cursor: Cursor | None, place: tuple[int, int]) -> None:
    turn = pagination.turn_by_key(cursor, [], has_more=False)
    assert (turn.previous, turn.next) == (Cursor(*place, True), Cursor(*place))


@pytest.mark.parametrize(("cursor", "number"), [(None, 0), (Cursor(25, 2), 2), (Cursor(25, -4), 0)])
def test_a_list_by_number_counts_pages(cursor: Cursor | None, number: int) -> None:
    turn = pagination.turn_by_number(cursor, 25, has_more=True)
    assert turn == Turn(
        previous=Cursor(25, number - 1, True), next=Cursor(25, number + 1), has_previous=number > 0, has_next=True
    )


def test_the_link_header_has_both_ways_keeps_the_query_and_is_ascii() -> None:
    turn = Turn(previous=Cursor(1, 0, True), next=Cursor(1, 2), has_previous=False, has_next=True)
    link = pagination.render_link("http://x/a/v1 é/", [("query", "a b"), ("cursor", "old")], turn)
    assert link == (
        '<http://x/a/v1%20%C3%A9/?query=a+b&cursor=1:0:1>; rel="previous"; results="false"; cursor="1:0:1", '
        '<http://x/a/v1%20%C3%A9/?query=a+b&cursor=1:2:0>; rel="next"; results="true"; cursor="1:2:0"'
    )
    assert pagination.render_link("http://x/", [("q", "\ud800")], turn).isascii()

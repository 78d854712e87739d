"""The words with which people pick jobs and deliveries: what each may be, and a sentence for what it may not."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.domain import filters
from shared.domain.filters import DeliveryFilter, JobFilter, Page
from shared.errors import BadParameter
from tests.builders import NOW, examples

JOB_ID = "0197" + "a" * 28


@pytest.mark.parametrize(
    ("words", "wanted"),
    [
        ({}, JobFilter()),
        (dict.fromkeys(filters.JOB_WORDS, ""), JobFilter()),
        ({"status": "failed"}, JobFilter(status="failed")),
        ({"repository": "acme/shop"}, JobFilter(repository="acme/shop")),
        ({"repository": "github:acme/shop"}, JobFilter(provider="github", repository="acme/shop")),
        ({"repository": "github:acme/shop", "provider": "github"}, JobFilter(provider="github", repository="acme/shop")),
        ({"repository": "github:"}, JobFilter(provider="github")),
        ({"provider": "gitlab"}, JobFilter(provider="gitlab")),
        ({"target": "x" * 64, "reason": "no_rule"}, JobFilter(target="x" * 64, reason="no_rule")),
        ({"since": "2h"}, JobFilter(since=NOW - timedelta(hours=2))),
    ],
)
def test_what_a_filter_of_jobs_becomes(words: dict[str, str], wanted: JobFilter) -> None:
    assert filters.read_job_filter(words, NOW) == wanted


@pytest.mark.parametrize(
    ("words", "wanted"),
    [
        ({}, DeliveryFilter()),
        ({"status": "refused", "since": ""}, DeliveryFilter(status="refused")),
        ({"repository": "gitlab:acme/a/b"}, DeliveryFilter(provider="gitlab", repository="acme/a/b")),
    ],
)
def test_what_a_filter_of_deliveries_becomes(words: dict[str, str], wanted: DeliveryFilter) -> None:
    assert filters.read_delivery_filter(words, NOW) == wanted


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ({"status": "Failed"}, "status must be one of queued, running, retrying, succeeded, failed, cancelled, waiting"),
        ({"replay": "x"}, "replay must be the number of a bulk replay"),
        ({"waiting": "x" * 41}, "waiting must be a name of at most 40 characters"),
        ({"target": "x" * 65}, "target must be a name of at most 64 characters"),
        ({"target": "a\x00b"}, "target must be a name of at most 64 characters"),
        ({"target": "a\ud800b"}, "target must be a name of at most 64 characters"),
        ({"reason": "x" * 41}, "reason must be a name of at most 40 characters"),
        ({"provider": "x" * 41}, "provider must be a name of at most 40 characters"),
        ({"repository": "x" * 513}, "repository must be a name of at most 512 characters"),
        (
            {"repository": "github:a/b", "provider": "gitlab"},
            "repository names 'github', provider is 'gitlab': which is meant?",
        ),
        ({"since": "yesterday"}, "since must be a time such as 2026-03-02T09:00:00Z, or how long ago: 2h, 3d"),
    ],
)
def test_what_a_filter_may_not_say(words: dict[str, str], says: str) -> None:
    with pytest.raises(BadParameter) as caught:
        filters.read_job_filter(words, NOW)
    assert str(caught.value) == says


def test_a_delivery_has_other_states_than_a_job() -> None:
    with pytest.raises(BadParameter, match="accepted, ignored, refused"):
        filters.read_delivery_filter({"status": "failed"}, NOW)


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        (None, None),
        ("", None),
        ("90s", NOW - timedelta(seconds=90)),
        ("90m", NOW - timedelta(minutes=90)),
        ("3d", NOW - timedelta(days=3)),
        ("2w", NOW - timedelta(weeks=2)),
        ("0h", NOW),
        ("2026-03-02T09:00:00Z", datetime(2026, 3, 2, 9, tzinfo=UTC)),
        ("2026-03-02T09:00:00+02:00", datetime(2026, 3, 2, 9, tzinfo=timezone(timedelta(hours=2)))),
        ("2026-03-02T09:00:00 02:00", datetime(2026, 3, 2, 7, tzinfo=UTC)),  # + unescaped in a query
        ("2026-03-02T09:00:00", datetime(2026, 3, 2, 9, tzinfo=UTC)),
        ("2026-03-02", datetime(2026, 3, 2, tzinfo=UTC)),
    ],
)
def test_since_is_a_time_or_an_age(text: str | None, moment: datetime | None) -> None:
    assert filters.read_since(text, NOW) == moment


@pytest.mark.parametrize(
    "text", ["2", "h", "2 h", "-2h", "2y", "٢h", "9999999h", "999999w", "2026-13-01", "0001-01-01T00:00:00+23:59"]
)
def test_what_is_no_time_is_refused_in_one_sentence(text: str) -> None:
    with pytest.raises(BadParameter, match="since must be a time such as"):
        filters.read_since(text, NOW)


@given(st.text(max_size=30))
@examples(500)
def test_any_text_is_a_time_in_utc_or_refused(text: str) -> None:
    try:
        moment = filters.read_since(text, NOW)
    except BadParameter:
        return
    assert moment is None or moment.utcoffset() == timedelta(0)


@pytest.mark.parametrize(
    ("words", "page"),
    [
        ({}, Page(50, None)),
        ({"limit": "", "cursor": ""}, Page(50, None)),
        ({"limit": "1"}, Page(1, None)),
        ({"limit": "200", "cursor": filters.write_cursor("job", JOB_ID)}, Page(200, JOB_ID)),
    ],
)
def test_what_a_page_becomes(words: dict[str, str], page: Page) -> None:
    assert filters.read_page(words, "job") == page


@pytest.mark.parametrize("limit", ["0", "201", "-1", "1.5", "ten", "٣", "9" * 400])
def test_a_limit_out_of_bounds_is_refused(limit: str) -> None:
    with pytest.raises(BadParameter, match="limit must be a whole number from 1 to 200"):
        filters.read_page({"limit": limit}, "job")


@pytest.mark.parametrize(
    ("kind", "cursor"),
    [
        ("job", "!"),
        ("job", "ä"),
        ("job", "a"),
        ("job", filters.write_cursor("delivery", "12")),
        ("delivery", filters.write_cursor("job", JOB_ID)),
        ("job", filters.write_cursor("job", "A" * 32)),
        ("job", filters.write_cursor("job", "a" * 33)),
        ("delivery", filters.write_cursor("delivery", "-1")),
        ("delivery", filters.write_cursor("delivery", "9" * 19)),
    ],
)
def test_a_cursor_that_this_list_did_not_give_out_is_refused(kind: str, cursor: str) -> None:
    with pytest.raises(BadParameter, match="cursor is not one that this list gave out"):
        filters.read_page({"cursor": cursor}, kind)


@given(st.integers(0, 10**18 - 1))
@examples(100)
def test_a_cursor_comes_back_as_the_key_it_was_made_of(key: int) -> None:
    cursor = filters.write_cursor("delivery", str(key))
    assert filters.read_page({"cursor": cursor}, "delivery").after == str(key)


def test_an_unknown_word_is_named_with_those_that_are_known() -> None:
    filters.check_known({"status": "x"}, filters.JOB_WORDS, "parameter")
    with pytest.raises(BadParameter) as caught:
        filters.check_known({"stauts": "x"}, ("status", "since"), "parameter")
    assert str(caught.value) == "'stauts' is not a known parameter; known are status, since"


def test_a_long_word_is_cut_in_the_sentence() -> None:
    with pytest.raises(BadParameter) as caught:
        filters.check_known({"x" * 10_000: "y"}, ("status",), "parameter")
    assert len(str(caught.value)) < 100


@pytest.mark.parametrize("read", [filters.read_job_filter, filters.read_delivery_filter])
def test_words_of_a_page_are_none_of_the_filters_business(read: Callable[..., object]) -> None:
    assert read({"limit": "0", "cursor": "!"}, NOW) == read({}, NOW)

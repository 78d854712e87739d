"""Times as clients write them, and as the endpoint answers them."""

from __future__ import annotations

import contextlib
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from releases.validation.times import parse_time, render_time
from tests.builders import examples

NINE = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2026-03-02T09:00:00Z", NINE),
        ("2026-03-02T09:00:00", NINE),
        ("2026-03-02T11:00:00+02:00", NINE),
        ("2026-03-02T11:00:00+0200", NINE),
        ("2026-03-02T06:30:00 -02:30", NINE),
        ("2026-03-02 9:0", NINE),
        ("2026-3-2T9:00:00Z", NINE),
        ("2026-03-02T11:00:00+02", NINE),
        ("2026-3-2T9:00:00,5", NINE + timedelta(milliseconds=500)),
        ("2026-3-2 9:00:00.123456789012", NINE + timedelta(microseconds=123456)),
        ("2026-3-2 9:00\n", NINE),
        ("٢٠٢٦-3-2T9:00", NINE),  # as the original: digits of any script
        ("2026-03-02", datetime(2026, 3, 2, tzinfo=UTC)),
    ],
)
def test_a_time_is_read_as_utc(text: str, moment: datetime) -> None:
    assert parse_time(text) == moment
    assert parse_time(text).utcoffset() == timedelta(0)


@pytest.mark.parametrize(
    "text",
    ["", "now", "2026-13-01T00:00:00Z", "2026-3-2T25:00", "2026-3-2", " 2026-3-2 9:00", "0001-01-01T00:00:00+23:00",
     "9999-12-31T23:59:59-23:00", "2026-3-2T9:00:00+99:00", "2" * 65, "1772442000"],
)  # fmt: skip
def test_what_is_no_time_is_a_value_error_and_nothing_else(text: str) -> None:
    with pytest.raises(ValueError):
        parse_time(text)


@pytest.mark.parametrize(
    ("moment", "text"),
    [
        (None, None),
        (NINE, "2026-03-02T09:00:00Z"),
        (NINE + timedelta(microseconds=1), "2026-03-02T09:00:00.000001Z"),
        (NINE.astimezone(timezone(timedelta(hours=2))), "2026-03-02T09:00:00Z"),
    ],
)
def test_a_time_is_answered_in_utc_without_a_zero_fraction(moment: datetime | None, text: str | None) -> None:
    assert render_time(moment) == text


@given(st.datetimes(timezones=st.just(UTC)))
@examples(200)
def test_what_is_answered_reads_back_as_the_same(moment: datetime) -> None:
    assert parse_time(render_time(moment) or "") == moment


@given(st.text(max_size=70))
@examples(300)
def test_any_text_is_a_time_or_a_value_error(text: str) -> None:
    with contextlib.suppress(ValueError):
        assert parse_time(text).tzinfo is UTC

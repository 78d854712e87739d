"""Typed values out of JSON, and the sentence for each that is not of its type."""

from __future__ import annotations

import contextlib
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from releases.validation import fields
from releases.validation.fields import Fault, Field, Reader
from tests.builders import examples

LINE = fields.text(longest=5)
URL = fields.url()


def refusal(read: Reader, value: object) -> Any:
    with pytest.raises(Fault) as caught:
        read(value)
    return caught.value.texts


@pytest.mark.parametrize(("value", "read"), [("abc", "abc"), (" a ", "a"), (12, "12"), (1.5, "1.5"), ("鍵" * 5, "鍵" * 5)])
def test_a_text_is_read_and_trimmed(value: object, read: str) -> None:
    assert LINE(value) == read


@pytest.mark.parametrize(
    ("value", "says"),
    [
        (True, "Not a valid string."),
        ([], "Not a valid string."),
        (None, "Not a valid string."),
        ("", "This field may not be blank."),
        ("  ", "This field may not be blank."),
        ("abcdef", "Ensure this field has no more than 5 characters."),
        ("a\0", "Null characters are not allowed."),
        ("a\ud800", "Surrogate characters are not allowed: U+D800."),
    ],
)
def test_what_is_no_such_text(value: object, says: str) -> None:
    assert refusal(LINE, value) == [says]


def test_a_text_may_be_blank_or_kept_untrimmed() -> None:
    assert fields.text(blank=True)("  ") == ""
    assert fields.text(trim=False)(" a ") == " a "


def test_a_time_is_read_or_refused_in_one_sentence() -> None:
    assert fields.time("2026-03-02T09:00:00Z") == datetime(2026, 3, 2, 9, tzinfo=UTC)
    values: list[Any] = ["soon", 5, None, [], "2" * 100]
    for value in values:
        (says,) = refusal(fields.time, value)
        assert says.startswith("Datetime has wrong format.")


@pytest.mark.parametrize(
    "value",
    [
        "",
        "https://acme.test",
        "http://localhost:8000/x?y#z",
        "http://[::1]/",
        "http://192.0.2.1",
        "https://bücher.example/",
    ],
)
def test_an_address_is_read(value: str) -> None:
    assert URL(value) == value


@pytest.mark.parametrize(
    "value",
    ["acme.test", "//acme.test", "javascript:alert(1)", "http://", "http://acme", "http://a..b", "http://-a.test", "http://a.1",
     "http://a.test:x", "http://a b.test", "http://[::1"],
)  # fmt: skip
def test_what_is_no_address(value: str) -> None:
    assert refusal(URL, value) == ["Enter a valid URL."]


def test_an_address_is_bounded() -> None:
    assert refusal(URL, "http://a.test/" + "x" * 2048) == ["Enter a valid URL."]


def test_a_list_stops_at_its_first_bad_element_and_names_no_index() -> None:
    read = fields.items(LINE)
    assert read(["a", 2]) == ["a", "2"]
    assert refusal(read, ["a", True, "abcdef"]) == ["Not a valid string."]
    assert refusal(read, [None, True]) == ["This field may not be null."]
    assert refusal(read, {"a": 1}) == ['Expected a list of items but got type "dict".']


def test_an_object_reports_every_bad_key_at_once() -> None:
    read = fields.record(
        {"a": Field(LINE, required=True), "b": Field(LINE), "c": Field(LINE, null=True), "d": Field(lambda value: value)}
    )
    assert read({"a": "x", "c": None, "d": [1], "unknown": 1}) == {"a": "x", "c": None, "d": [1]}
    assert refusal(read, {"b": None, "c": "abcdef"}) == {
        "a": ["This field is required."],
        "b": ["This field may not be null."],
        "c": ["Ensure this field has no more than 5 characters."],
    }
    assert refusal(read, []) == {"non_field_errors": ["Invalid data. Expected a dictionary, but got list."]}


JSON: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=10),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=5,
)


@pytest.mark.parametrize("read", [LINE, URL, fields.time, fields.items(URL), fields.record({"a": Field(LINE, required=True)})])
@given(value=JSON)
@examples(200)
def test_any_json_is_read_or_refused(read: Reader, value: Any) -> None:
    with contextlib.suppress(Fault):
        read(value)

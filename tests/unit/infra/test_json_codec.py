"""One codec for columns, answers and log lines."""

from __future__ import annotations

import json

import pytest

from shared.infra.json_codec import read_json, write_json


@pytest.mark.parametrize(
    "value",
    [{"a": [1, 2.5, None, True, "größe 📦"]}, {"lone": "\ud800", "beside it": "größe"}, {"\udfff": 1}, "\ud83d", [], 2**70],
)
def test_what_is_written_is_utf_8_and_reads_back(value: object) -> None:
    text = write_json(value)
    assert text.encode()
    assert read_json(text) == read_json(text.encode()) == json.loads(text) == value


def test_text_beside_a_lone_surrogate_keeps_its_spelling_so_that_a_secret_in_a_log_line_is_still_found() -> None:
    assert "schlüssel" in write_json({"secret": "schlüssel", "path": "\udc80"})


def test_a_value_without_a_form_is_refused_or_made_into_another() -> None:
    assert json.loads(write_json({"a": object}, repr)) == {"a": repr(object)}
    assert json.loads(write_json({"a": object, "path": "\udc80"}, repr))["a"] == repr(object)
    with pytest.raises((TypeError, ValueError)):
        write_json({"a": object})


def test_what_is_no_json_is_a_value_error() -> None:
    for text in ("", "{", "nul", b"\xff"):
        with pytest.raises(ValueError, match=r"."):
            read_json(text)

"""What people see of texts from outside: nothing invisible, nothing that turns its neighbours around."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markupsafe import Markup

from shared.infra.visible_text import in_attribute, in_page, isolated, visible

OVERRIDE, ISOLATE = "\u202e", "\u2066"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("v1.0", "v1.0"),
        ("größe – 版本", "größe – 版本"),
        (f"v1{OVERRIDE}0.2", r"v1\u202e0.2"),
        (f"{ISOLATE}v1", r"\u2066v1"),
        ("v\u200b1", r"v\u200b1"),
        ("v1\u200d", r"v1\u200d"),
        ("v1\ufe0f", r"v1\ufe0f"),
        ("v1\u00ad\ufeff\u2060", r"v1\xad\ufeff\u2060"),
        ("v1\u3164\u2800\u034f", r"v1\u3164\u2800\u034f"),
        ("v1\U000e0041\U000e0100", r"v1\U000e0041\U000e0100"),
        ("a\x1b[31m\x9b\x00\n\t", r"a\x1b[31m\x9b\x00\n\t"),
        ("\ud800", r"\ud800"),
        ("👩‍💻 ❤️ ❤️‍🔥", "👩‍💻 ❤️ ❤️‍🔥"),
        ("déjà\u00a0vu", "déjà\u00a0vu"),
        ("نسخة", "نسخة"),
    ],
)
def test_what_cannot_be_seen_is_written_out(text: str, shown: str) -> None:
    assert visible(text) == shown


def test_lines_stay_lines_where_they_may() -> None:
    assert visible("a\n\tb\r\u200b", lines=True) == "a\n\tb\\r\\u200b"


@given(st.text())
def test_nothing_is_left_that_reorders_or_hides(text: str) -> None:
    assert all(char.isprintable() or char in "\u00a0\u202f\u3000\u200d" for char in visible(text))
    assert "\u200d" not in visible(text) or "\u200d" in text


def test_a_text_from_right_to_left_is_set_apart_on_pages_and_terminals() -> None:
    assert isolated("v1.0") == "v1.0"
    assert isolated("نسخة") == "\u2068نسخة\u2069"
    assert in_page("نسخة <b>") == "<bdi>نسخة &lt;b&gt;</bdi>"
    assert in_page(f"v1{OVERRIDE}") == r"<bdi>v1\u202e</bdi>"
    assert in_attribute(f'نسخة{OVERRIDE}"') == r"نسخة\u202e&#34;"


@pytest.mark.parametrize("value", ["v1 <b>", "é", 7, None, Markup("<b>\u202e</b>")])
def test_a_page_leaves_all_else_as_it_is(value: object) -> None:
    assert in_page(value) is value

"""A secret is taken out of a text in every spelling that an echo may give it."""

from __future__ import annotations

import html
import json
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.infra.redaction import LONGEST_SPELLING, mask, mask_beginning, mask_text
from tests.builders import examples

SECRET = "sntrys_eyJ+/=.a-b_c"


@pytest.mark.parametrize(
    "spelling",
    [
        SECRET,
        quote(SECRET, safe=""),
        quote(SECRET),
        quote(SECRET, safe="").lower().replace("sntrys_eyj", "sntrys_eyJ"),
        SECRET.replace("/", "\\/"),
        SECRET.replace("_", "\\u005f").replace("+", "\\u002B"),
        "".join(f"\\u{ord(letter):04x}" for letter in SECRET),
        "".join(f"%{ord(letter):02X}" for letter in SECRET),
        "".join(f"&#{ord(letter)};" for letter in SECRET),
        SECRET.replace("+", "&#x2B;").replace("/", "&#47;"),
        json.dumps(SECRET)[1:-1],
        html.escape(SECRET),
    ],
)
def test_every_spelling_of_the_secret_is_taken_out(spelling: str) -> None:
    assert mask_text(f"Authorization: Bearer {spelling}!", SECRET) == "Authorization: Bearer ***!"
    assert len(spelling) <= LONGEST_SPELLING * len(SECRET)


@pytest.mark.parametrize("text", ["100% of \\n it", "a\\u0041b", "sntrys_", "", "&amp;"])
def test_what_is_not_the_secret_stays(text: str) -> None:
    assert mask_text(text, SECRET) == text


def test_without_a_secret_nothing_is_hidden() -> None:
    assert mask(b"anything", "") == b"anything"


@examples(200)
@given(st.binary(max_size=200), st.text(st.characters(codec="utf-8", exclude_characters="*"), min_size=1, max_size=20))
def test_whatever_the_text_the_secret_is_not_in_it(text: bytes, secret: str) -> None:
    assert secret.encode() not in mask(text + secret.encode() + text, secret)


LONG = "sntrys_" + "0123456789abcdef" * 4


@pytest.mark.parametrize("before", [b"", b"x" * 40, LONG.encode(), b"y" + LONG.encode() * 30, b"%41" * 20])
@pytest.mark.parametrize("kept", [len(LONG) - 1, 40, 9])
@pytest.mark.parametrize("limit", [60, 100, 500, 5_000])
def test_no_beginning_of_a_secret_is_left_where_a_text_was_cut(before: bytes, kept: int, limit: int) -> None:
    for cut in (LONG[:kept].encode(), quote(LONG.replace("_", "/"), safe="")[:kept].encode().replace(b"%2F", b"_")):
        for text in (before + cut, before + LONG.encode() + before + cut, before + cut + b"\\u00", before + cut + b"%4"):
            masked = mask_beginning(text, LONG, limit)
            assert LONG[:8].encode() not in masked
            assert len(masked) <= limit


@given(st.lists(st.sampled_from([LONG.encode(), b"ab", b"\\u0073", b"%"]), max_size=60), st.integers(1, 400))
def test_a_beginning_is_that_of_the_masked_text(parts: list[bytes], limit: int) -> None:
    text = b"".join(parts) + b"." * 10
    assert mask_beginning(text, LONG, limit) == mask(text, LONG)[:limit]


def test_what_only_looks_like_a_secret_at_its_end_stays() -> None:
    assert mask_beginning(b"the token sntrys_", LONG, 100) == b"the token sntrys_"
    assert mask_beginning(b"sntrys_0123 is none", LONG, 100) == b"sntrys_0123 is none"
    assert mask_beginning(b"a short one: abc", "abcdefg", 100) == b"a short one: abc"

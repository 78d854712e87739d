"""A secret is taken out of a text in every spelling that an echo may give it."""

from __future__ import annotations

import html
import json
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.infra.redaction import LONGEST_SPELLING, mask, mask_text
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

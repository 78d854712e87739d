"""Texts from outside as people see them: what is invisible, reorders its neighbours or steers a terminal is written out.

Names are an attacker's choice. A right-to-left override in a tag turns the text beside it around, and a zero-width space makes
two versions look like one (https://www.unicode.org/reports/tr36/, sections 2.1 and 2.8).
"""

from __future__ import annotations

import re

from markupsafe import Markup, escape

# Printable by their category, and yet nothing is seen of them: joiners, fillers, variation selectors, the Braille blank.
_UNSEEN = frozenset(
    (0x034F, 0x115F, 0x1160, 0x17B4, 0x17B5, 0x2800, 0x3164, 0xFFA0, *range(0x180B, 0x1810), *range(0xFE00, 0xFE10))
) | frozenset(range(0xE0100, 0xE01F0))
_SPACES = frozenset((0x00A0, 0x202F, 0x3000))  # as wide as a space; French and Japanese messages are full of them
_EMOJI = "[\u2190-\u2bff\u3030\u303d\u3297\u3299\U0001f000-\U0001faff]"
_JOINED = re.compile(f"((?<={_EMOJI})(?:\ufe0f\u200d?|\u200d(?={_EMOJI})))")  # part of one picture
_RIGHT_TO_LEFT = re.compile("[\u0590-\u08ff\ufb1d-\ufdff\ufe70-\ufeff\U00010800-\U00010fff\U0001e800-\U0001efff]")
_OPEN, _CLOSE = "\u2068", "\u2069"  # first strong isolate, pop directional isolate


class _Escapes(dict[int, str]):
    """What `str.translate` looks characters up in; each is judged once."""

    def __missing__(self, code: int) -> str:
        char = chr(code)
        is_seen = char.isprintable() and code not in _UNSEEN
        shown = char if is_seen or code in _SPACES else char.encode("unicode_escape").decode()
        if len(self) < 20_000:
            self[code] = shown
        return shown


_ONE_LINE = _Escapes()
_LINES = _Escapes({0x09: "\t", 0x0A: "\n"})


def visible(text: str, *, lines: bool = False) -> str:
    r"""The text with each character that is invisible, a control or directional written out: `v1.0\u202e`, `\x1b`.

    `lines`: line breaks and tabs stay. Emoji stay whole.
    """
    if text.isascii() and text.isprintable():
        return text
    escapes = _LINES if lines else _ONE_LINE
    if "\ufe0f" not in text and "\u200d" not in text:
        return text.translate(escapes)
    pieces = _JOINED.split(text)
    pieces[::2] = [piece.translate(escapes) for piece in pieces[::2]]
    return "".join(pieces)


def isolated(text: str) -> str:
    """`visible`, and a text that is written from right to left does not reorder what stands beside it on a terminal."""
    shown = visible(text)
    return f"{_OPEN}{shown}{_CLOSE}" if _RIGHT_TO_LEFT.search(shown) else shown


def in_page(value: object) -> object:
    """For Jinja's `finalize`: every text that a page shows. In an attribute or a title write `{{ text | in_attribute }}`, and
    `{{ text | e }}` where a form sends it back."""
    if type(value) is not str or (value.isascii() and value.isprintable()):
        return value
    shown = visible(value, lines=True)
    if shown == value and not _RIGHT_TO_LEFT.search(shown):
        return value
    return Markup("<bdi>{}</bdi>").format(shown)


def in_attribute(text: object) -> Markup:
    """The same where no element can stand."""
    return escape(visible(str(text)))

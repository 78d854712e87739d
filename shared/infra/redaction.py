"""Takes a secret out of a text that the other side wrote, in whatever spelling it came back. Pure."""

from __future__ import annotations

import re
from functools import lru_cache

HIDDEN = b"***"
LONGEST_SPELLING = 6  # bytes of one character: \\u005f
_TELLING = 8  # letters of a secret that are taken for its beginning
_BROKEN_ESCAPE = re.compile(rb"[\\%&][^\s]{0,5}")
_ESCAPES = (b"\\u", b"\\/", b"%", b"&#")  # without any of them the search of all spellings, a slow one, is spared


def mask(text: bytes, secret: str) -> bytes:
    """The text without the secret: as it is, percent-encoded, as JSON may escape it, or as HTML may."""
    if not secret:
        return text
    text = text.replace(secret.encode(), HIDDEN)
    if not any(mark in text for mark in _ESCAPES):
        return text
    return _spellings(secret.encode()).sub(HIDDEN, text)


def mask_beginning(text: bytes, secret: str, limit: int) -> bytes:
    """The first `limit` bytes of the text without the secret, and without a tail that begins it: what is cut before it is
    masked may end within it."""
    room = LONGEST_SPELLING * len(secret.encode())
    taken = limit + room
    masked = mask(text[:taken], secret)
    while taken < len(text) and len(masked) < limit + room:  # masked, it is shorter: more of the text comes into view
        taken *= 2
        masked = mask(text[:taken], secret)
    return _without_its_beginning(masked, secret.encode(), room)[:limit]


def _without_its_beginning(text: bytes, secret: bytes, room: int) -> bytes:
    if len(secret) <= _TELLING:
        return text
    for found in _spellings(secret[:_TELLING]).finditer(text, max(0, len(text) - room)):
        place = found.end()
        for letter in secret[_TELLING:]:
            if (next_one := _spellings(bytes([letter])).match(text, place)) is None:
                break
            place = next_one.end()
        if place == len(text) or _BROKEN_ESCAPE.fullmatch(text, place):
            return text[: found.start()]
    return text


def mask_text(text: str, secret: str) -> str:
    """The same of a `str`; what is no text at all (a lone surrogate) becomes a question mark."""
    return mask(text.encode("utf-8", "replace"), secret).decode()


@lru_cache(maxsize=300)
def _spellings(secret: bytes) -> re.Pattern[bytes]:
    return re.compile(b"".join(_spelling(letter) for letter in secret))


def _spelling(letter: int) -> bytes:
    """One byte of the secret as itself or escaped."""
    itself = re.escape(bytes([letter]))
    return b"(?:\\\\?%s|(?i:\\\\u00%02x|%%%02x|&#0*%d;|&#x0*%x;))" % (itself, letter, letter, letter, letter)

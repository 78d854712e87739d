"""Takes a secret out of a text that the other side wrote, in whatever spelling it came back. Pure."""

from __future__ import annotations

import re
from functools import lru_cache

HIDDEN = b"***"
LONGEST_SPELLING = 6  # bytes of one character: \\u005f
_ESCAPES = (b"\\u", b"\\/", b"%", b"&#")  # without any of them the search of all spellings, a slow one, is spared


def mask(text: bytes, secret: str) -> bytes:
    """The text without the secret: as it is, percent-encoded, as JSON may escape it, or as HTML may."""
    if not secret:
        return text
    text = text.replace(secret.encode(), HIDDEN)
    if not any(mark in text for mark in _ESCAPES):
        return text
    return _spellings(secret).sub(HIDDEN, text)


def mask_text(text: str, secret: str) -> str:
    """The same of a `str`; what is no text at all (a lone surrogate) becomes a question mark."""
    return mask(text.encode("utf-8", "replace"), secret).decode()


@lru_cache(maxsize=16)
def _spellings(secret: str) -> re.Pattern[bytes]:
    return re.compile(b"".join(_spelling(letter) for letter in secret.encode()))


def _spelling(letter: int) -> bytes:
    """One byte of the secret as itself or escaped."""
    itself = re.escape(bytes([letter]))
    return b"(?:\\\\?%s|(?i:\\\\u00%02x|%%%02x|&#0*%d;|&#x0*%x;))" % (itself, letter, letter, letter, letter)

"""Texts from outside as names: commit ids, full names of repositories, and what a database can hold. Pure."""

from __future__ import annotations

import re

LONGEST_NAME = 512
SHA = re.compile(r"[0-9a-f]{40}(?:[0-9a-f]{24})?")
_SEGMENT = r"(?!\.{1,2}(?:/|$))[A-Za-z0-9_.-]{1,255}"
_FULL_NAME = re.compile(rf"{_SEGMENT}(?:/{_SEGMENT})+")
_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")  # PostgreSQL takes no NUL, UTF-8 no lone surrogate


def is_full_name(text: str) -> bool:
    """Whether it is `owner/name`, with more segments at GitLab: letters, digits and `_.-` only, safe in a URL path."""
    return len(text) <= LONGEST_NAME and _FULL_NAME.fullmatch(text) is not None


def is_storable(text: str) -> bool:
    """Whether a database can hold it, so that something could be of this name: no NUL, no lone surrogate."""
    return _UNSTORABLE.search(text) is None


def clean(text: str) -> str:
    """The same text, storable: NUL and lone surrogates become U+FFFD."""
    if text.isascii() and "\x00" not in text:  # what nearly all are, told without looking at each character
        return text
    return _UNSTORABLE.sub("\ufffd", text)

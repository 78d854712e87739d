"""What a database or broker said is wrong, without anything that says where it is or who we are."""

from __future__ import annotations

import re

from sqlalchemy.exc import DBAPIError

_LONGEST = 160
# Libraries put these around the words: where they connected to, with which user, in which file.
_WHERE = re.compile(
    r"""(?:connection\ failed:\ )?connection\ to\ server\ .*?\ failed:\s*     # libpq's
    |connecting\ to\ \S+\.(?=\s|$)                      # redis-py's
    |\w+(?:\+\w+)*://\S+                               # a URL
    |"[^"]*"|(?<!\w)'[^']*'|`[^`]*`                            # a name
    |\[[0-9a-fA-F:.]+\](?::\d+)?                        # IPv6
    |\b\d{1,3}(?:\.\d{1,3}){3}(?::\d+)?                 # IPv4
    |\b[\w-]+(?:\.[\w-]+)+:\d+|\b[\w.-]+:\d{2,5}\b     # a host and its port
    |(?<![\w])/[\w./@%+-]+                              # a path
    |\bport\ \d+""",
    re.VERBOSE,
)


def plain_words(problem: BaseException) -> str:
    """One line of at most 160 characters; the kind of the error where it has no words of its own."""
    text = str(problem.orig) if isinstance(problem, DBAPIError) else str(problem)
    if isinstance(problem, OSError) and problem.strerror:
        text = problem.strerror
    lines = [line for line in text.splitlines() if line.strip()]
    words = " ".join(_WHERE.sub(" ", lines[0]).split()) if lines else ""
    words = re.sub(r"\s+([.,:;)])", r"\1", words).strip(" .,:;")
    return words[:_LONGEST] if re.search(r"[A-Za-z]{3}", words) else type(problem).__name__

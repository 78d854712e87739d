"""A release's body that a target would not take, made smaller or without the e-mails that it refused. Pure."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

LARGE = 256 * 1024  # bytes from which on size may be what is wrong
FAILURES_OF_SIZE = 2  # answers of 500, 502 or 504 before a large body is made smaller
_SAFE_EMAIL = re.compile(r"[A-Za-z0-9._%+-]+@(?:[A-Za-z0-9-]+\.)+[A-Za-z]{2,}")


def smaller(body: Mapping[str, Any]) -> tuple[dict[str, Any], str] | None:
    """A body that a target which said 413 may take, and what was left out: files first, then the oldest half of the
    commits, again and again. None when nothing is left to leave out."""
    commits = body.get("commits")
    if not commits:
        return None
    if any("patch_set" in commit for commit in commits):
        bare = [{key: value for key, value in commit.items() if key != "patch_set"} for commit in commits]
        return {**body, "commits": bare}, "the target takes no file lists of this size"
    # Each repository's commits are newest first, and the list begins anew with each: the times say which are the oldest.
    newest_first = sorted(range(len(commits)), key=lambda place: commits[place].get("timestamp", ""), reverse=True)
    kept = [commits[place] for place in sorted(newest_first[: len(commits) // 2])]
    rest = {key: value for key, value in body.items() if key != "commits"}
    return ({**rest, "commits": kept} if kept else rest), f"the target takes the newest {len(kept)} commits only"


def without_emails(body: Mapping[str, Any], said: bytes) -> tuple[dict[str, Any], int] | None:
    """The body without the authors' addresses that a 400 refused, and how many were left out; None where it names none.

    `said`: the answer. Where it does not say whose address it refused, those that every server takes are kept, else none is.
    """
    commits = body.get("commits", ())
    if b"author_email" not in said or not any("author_email" in commit for commit in commits):
        return None
    places = _places(said, len(commits))
    refused = {commits[place]["author_email"] for place in places if "author_email" in commits[place]}
    every = {commit["author_email"] for commit in commits if "author_email" in commit}
    refused = refused or {email for email in every if _SAFE_EMAIL.fullmatch(email) is None} or every
    kept = [
        {key: value for key, value in commit.items() if key != "author_email" or value not in refused} for commit in commits
    ]
    return {**body, "commits": kept}, len(refused)


def _places(said: bytes, count: int) -> set[int]:
    """Of the commits whose address was refused: Sentry's list has an entry for each commit, GlitchTip's names its place."""
    try:
        value = json.loads(said)
    except (ValueError, RecursionError):
        return set()
    fields = value if isinstance(value, dict) else {}
    commits, detail = fields.get("commits"), fields.get("detail")
    found: set[object] = set()
    if isinstance(commits, list):
        found |= {place for place, entry in enumerate(commits) if isinstance(entry, dict) and "author_email" in entry}
    for entry in detail if isinstance(detail, list) else []:
        where = entry.get("loc") if isinstance(entry, dict) else None
        if isinstance(where, list) and "author_email" in where:
            found |= {part for part in where if type(part) is int}
    return {place for place in found if isinstance(place, int) and 0 <= place < count}

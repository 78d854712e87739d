"""What a list of commits as sent means: order, what is skipped, whose they are. Pure.

Follows set_commits of the original (docs/releases-endpoint.md); a missing time counts as oldest instead of failing.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, NamedTuple

SKIP_MARK = "#skipsentry"
_LONGEST_EMAIL = 75
_CUT = "..."
_NOT_IN_EMAIL = re.compile(r"[^A-Za-z0-9._-]+")
_OLDEST = datetime.min.replace(tzinfo=UTC)
_Person = tuple[str | None, str | None]  # e-mail and name


class Author(NamedTuple):
    """`sent`: the address as sent. Authors are stored under `email`, in lower case."""

    email: str
    name: str | None
    sent: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedCommit:
    """One commit to store. `repository` empty: not named. `given`: which of message and time the client spoke of."""

    key: str
    repository: str
    author: Author | None
    message: str | None
    added_at: datetime | None
    given: frozenset[str]
    files: tuple[tuple[str, str], ...]


def plan_commits(sent: Sequence[dict[str, Any]]) -> list[PlannedCommit]:
    """Newest first, stable; without those that ask to be skipped. Repeats stay: they count."""
    ordered = sorted(sent, key=lambda item: item.get("timestamp") or _OLDEST, reverse=True)
    kept = [item for item in ordered if SKIP_MARK not in (item.get("message") or "")]
    people = [(item.get("author_email"), item.get("author_name")) for item in kept]
    authors = _plan_authors(people)
    return [_plan(item, authors[person]) for item, person in zip(kept, people, strict=True)]


def _plan_authors(people: Sequence[_Person]) -> dict[_Person, Author | None]:
    """By e-mail and name as sent; the first commit of an address names its author."""
    first: dict[str, Author] = {}
    planned = [(person, plan_author(*person)) for person in dict.fromkeys(people)]
    return {person: author and first.setdefault(author.sent, author) for person, author in planned}


def _plan(item: dict[str, Any], author: Author | None) -> PlannedCommit:
    given = {"message"} if "message" in item else set()
    if item.get("timestamp") is not None:
        given.add("timestamp")
    return PlannedCommit(
        key=item["id"],
        repository=item.get("repository") or "",
        author=author,
        message=item.get("message"),
        added_at=item.get("timestamp"),
        given=frozenset(given),
        files=tuple((file["path"], file["type"]) for file in item.get("patch_set") or ()),
    )


def plan_author(email: str | None, name: str | None) -> Author | None:
    """A missing e-mail address is made from the name. A blank one means no author."""
    if email is None and name:
        email = _NOT_IN_EMAIL.sub("", name).lower() + "@localhost"
    if not email:
        return None
    if len(email) > _LONGEST_EMAIL:
        email = email[: _LONGEST_EMAIL - len(_CUT)] + _CUT
    return Author(email.lower()[:_LONGEST_EMAIL], name, email)

"""GitHub's answers as values: refusals, comparisons, commits, tags, files. Touches nothing."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from shared.domain.push import Commit, FileChange, is_valid_ref
from shared.forges.forge import Tag
from shared.forges.json_fields import MAX_PATH, Fields
from shared.forges.pagination import PAGE
from shared.forges.responses import MAX_PARENTS, message, read_count, read_list, read_message, read_name, read_time, reset_time
from shared.infra.http_client import Answer, retry_after

_SECONDARY_WAIT = timedelta(seconds=60)
_FILES_PAGE = 300
_NEXT = re.compile(r';\s*rel="?next"?')


@dataclass(frozen=True, slots=True)
class ComparePage:
    total: int
    behind: int
    merge_base: str
    base_at: datetime | None
    oldest_first: list[Commit]

    @property
    def newest_first(self) -> Iterator[Commit]:
        return reversed(self.oldest_first)


def held_until(answer: Answer, now: datetime) -> datetime | None:
    """Retry-After, else the reset time of a used-up quota, else a minute for a secondary limit; any other 403 is no limit.

    https://docs.github.com/en/rest/using-the-rest-api/rate-limits-for-the-rest-api#exceeding-the-rate-limit
    """
    asked = retry_after(answer.headers, now)
    if asked is not None:
        return now + asked
    if answer.headers.get("x-ratelimit-remaining") == "0":
        return reset_time(answer, "x-ratelimit-reset", now) or now + _SECONDARY_WAIT
    text = message(answer).lower()
    if answer.status == 429 or "rate limit" in text or "abuse detection" in text:
        return now + _SECONDARY_WAIT
    return None


def is_unknown_commit(answer: Answer) -> bool:
    return message(answer).startswith("No commit found")


def read_comparison(fields: Fields) -> ComparePage:
    return ComparePage(
        total=read_count(fields, "total_commits"),
        behind=read_count(fields, "behind_by"),
        merge_base=fields.object("merge_base_commit").sha("sha"),
        base_at=_committed_at(fields.optional_object("base_commit")),
        oldest_first=[read_commit(commit) for commit in fields.objects("commits", PAGE)],
    )


def read_commit(fields: Fields) -> Commit:
    """The time is the committer's: a rebase or cherry-pick keeps the author's, which may lie years back."""
    inner = fields.object("commit")
    author = inner.optional_object("author")
    return Commit(
        id=fields.sha("sha"),
        message=read_message(inner),
        author_name=read_name(author, "name"),
        author_email=read_name(author, "email"),
        timestamp=read_time(inner.optional_object("committer"), "date"),
        parents=tuple(parent.sha("sha") for parent in fields.objects("parents", MAX_PARENTS))
        if fields.has("parents")
        else None,
    )


def _committed_at(fields: Fields | None) -> datetime | None:
    commit = None if fields is None else fields.optional_object("commit")
    return None if commit is None else read_time(commit.optional_object("committer"), "date")


def has_next(answer: Answer) -> bool:
    """Whether the Link header names a next page; its address is never followed."""
    return _NEXT.search(answer.headers.get("link", "")) is not None


def read_tags(answer: Answer) -> tuple[list[Tag], bool]:
    """A page, and whether another follows: GitHub leaves the Link header out when all fits on one page."""
    found = read_list(answer, PAGE, lambda fields: Tag(fields.text("name", 1_024), fields.object("commit").sha("sha")))
    has_more = has_next(answer) if "link" in answer.headers else len(found) == PAGE
    return [tag for tag in found if is_valid_ref(f"refs/tags/{tag.name}")], has_more


def read_tag_object(fields: Fields) -> tuple[str, str]:
    target = fields.object("object")
    return target.text("type", 20), target.sha("sha")


def read_files(fields: Fields) -> list[FileChange]:
    return [change for file in fields.objects("files", _FILES_PAGE) for change in _read_file(file)]


def _read_file(fields: Fields) -> list[FileChange]:
    path, status = fields.text("filename", MAX_PATH), fields.text("status", 20)
    if status == "renamed":
        return [FileChange(fields.text("previous_filename", MAX_PATH), "D"), FileChange(path, "A")]
    if status == "unchanged":
        return []
    if status == "removed":
        return [FileChange(path, "D")]
    return [FileChange(path, "A" if status in ("added", "copied") else "M")]

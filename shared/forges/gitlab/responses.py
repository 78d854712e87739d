"""GitLab's answers as values: refusals, comparisons, commits, tags, files. Touches nothing."""

from __future__ import annotations

from datetime import datetime, timedelta

from shared.domain.push import Commit, FileChange, is_valid_ref
from shared.forges.forge import Tag
from shared.forges.json_fields import MAX_PATH, Fields
from shared.forges.pagination import MAX_RANGE, PAGE
from shared.forges.responses import MAX_PARENTS, read_list, read_message, read_name, read_time, reset_time
from shared.infra.http_client import Answer, retry_after

_SHORTEST_WAIT = timedelta(seconds=60)


def held_until(answer: Answer, now: datetime) -> datetime | None:
    """A 429 with Retry-After, else with the end of its window, else (application limits say neither) a minute.

    https://docs.gitlab.com/administration/settings/user_and_ip_rate_limits/#response-headers
    """
    if answer.status != 429:
        return None
    asked = retry_after(answer.headers, now)
    if asked is not None:
        return now + asked
    return reset_time(answer, "ratelimit-reset", now) or now + _SHORTEST_WAIT


def has_more(answer: Answer, size: int) -> bool:
    """X-Next-Page is there and empty on the last page: https://docs.gitlab.com/api/rest/#pagination-response-headers"""
    following = answer.headers.get("x-next-page")
    return size == PAGE if following is None else following.strip() != ""


def read_comparison(fields: Fields) -> tuple[list[Commit], bool]:
    commits = [read_commit(commit) for commit in fields.objects("commits", 2 * MAX_RANGE)]
    return commits, not fields.flag("compare_timeout")


def read_commit(fields: Fields) -> Commit:
    return Commit(
        id=fields.sha("id"),
        message=read_message(fields),
        author_name=read_name(fields, "author_name"),
        author_email=read_name(fields, "author_email"),
        timestamp=read_time(fields, "committed_date"),
        parents=_read_parents(fields),
    )


def _read_parents(fields: Fields) -> tuple[str, ...] | None:
    parents = fields.texts("parent_ids", MAX_PARENTS, 64)
    return None if parents is None else tuple(parents)


def read_tags(answer: Answer) -> tuple[list[Tag], bool]:
    """A page, and whether another follows. A tag of a file or tree has no commit and is left out."""
    found = read_list(answer, PAGE, _read_tag)
    return [tag for tag in found if tag is not None and is_valid_ref(f"refs/tags/{tag.name}")], has_more(answer, len(found))


def _read_tag(fields: Fields) -> Tag | None:
    commit = fields.optional_object("commit")
    if commit is None:
        return None
    at, tagged_at = read_time(commit, "committed_date"), read_time(fields, "created_at")  # null of a lightweight tag
    return Tag(fields.text("name", 1_024), commit.sha("id"), at, tagged_at)


def read_tag_commit(fields: Fields) -> str | None:
    commit = fields.optional_object("commit")
    return None if commit is None else commit.sha("id")


def read_file(fields: Fields) -> list[FileChange]:
    path, old = fields.text("new_path", MAX_PATH), fields.text("old_path", MAX_PATH)
    if fields.flag("renamed_file"):
        return [FileChange(old, "D"), FileChange(path, "A")]
    if fields.flag("deleted_file"):
        return [FileChange(old, "D")]
    return [FileChange(path, "A" if fields.flag("new_file") else "M")]

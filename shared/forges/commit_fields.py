"""A commit of a payload as a value, checked alike whether it is kept or not. Touches nothing."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from shared.domain.names import SHA
from shared.domain.push import Commit, FileChange
from shared.forges.json_fields import LONGEST_TIME, MAX_COMMITS, MAX_FILES, MAX_MESSAGE, MAX_PATH, Fields


def read_commit(fields: Fields) -> Commit:
    """A commit as GitHub's and GitLab's push payloads both spell it."""
    author = fields.optional_object("author")
    return Commit(
        id=fields.sha("id"),
        message=fields.optional_text("message", MAX_MESSAGE, cut=True) or "",
        author_name=author.optional_text("name", 1_000, cut=True) if author else None,
        author_email=author.optional_text("email", 1_000, cut=True) if author else None,
        timestamp=fields.time("timestamp"),
        files=_read_files(fields),
    )


def read_commits(fields: Fields) -> tuple[Commit, ...]:
    """The list `commits` of a push. Raises BadPayload."""
    return tuple(read_commit(commit) for commit in fields.objects("commits", MAX_COMMITS))


def check_commit(fields: Fields) -> None:
    """Raises BadPayload where `read_commit` does, and makes nothing: a fifth of its cost."""
    if not _is_plain_commit(fields.values):
        read_commit(fields)


def check_commits(fields: Fields) -> None:
    """Raises BadPayload where `read_commits` does."""
    listed = fields.values.get("commits")
    if type(listed) is not list or len(listed) > MAX_COMMITS or not all(map(_is_plain_commit, listed)):
        read_commits(fields)


def _is_plain_commit(value: Any) -> bool:
    """Whether `read_commit` would surely take it. What is odd, and may be good all the same, is left to `read_commit`."""
    try:
        if not (SHA.fullmatch(value["id"]) and _is_text(value.get("message"))):
            return False
        author, moment = value.get("author"), value.get("timestamp")
        if author is not None and not (_is_text(author.get("name")) and _is_text(author.get("email"))):
            return False
        if moment is not None and (len(moment) > LONGEST_TIME or not 1 < datetime.fromisoformat(moment).year < 9_999):
            return False
        for name in ("added", "removed", "modified"):
            if (paths := value.get(name)) is not None:
                if type(paths) is not list or len(paths) > MAX_FILES:
                    return False
                for path in paths:
                    if type(path) is not str or len(path) > MAX_PATH:
                        return False
    except (TypeError, KeyError, ValueError, AttributeError):
        return False
    return True


def _is_text(value: object) -> bool:
    return value is None or type(value) is str


def _read_files(fields: Fields) -> tuple[FileChange, ...] | None:
    """Sentry's letters for the three lists; a path in two lists (a rename back and forth) is one modification.

    None, for "not known", also where there are more paths, or longer ones, than we keep: they are not worth a release.
    """
    if any(map(_is_too_much, map(fields.values.get, ("added", "removed", "modified")))):
        return None
    added = fields.texts("added", MAX_FILES, MAX_PATH)
    removed = fields.texts("removed", MAX_FILES, MAX_PATH)
    modified = fields.texts("modified", MAX_FILES, MAX_PATH)
    if added is None and removed is None and modified is None:
        return None
    changes: dict[str, FileChange] = {path: FileChange(path, "A") for path in added or ()}
    for path in removed or ():
        changes[path] = FileChange(path, "M" if path in changes else "D")
    for path in modified or ():
        changes[path] = FileChange(path, "M")
    return tuple(changes.values())


def _is_too_much(paths: object) -> bool:
    if type(paths) is not list:
        return False
    return len(paths) > MAX_FILES or any(type(path) is str and len(path) > MAX_PATH for path in paths)

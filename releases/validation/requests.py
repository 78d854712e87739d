"""What a client may send about releases and deploys: JSON to values of ours, or field errors. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from releases.validation.fields import Fault, Field, items, record, text, time, url
from releases.validation.release_version import is_allowed

LONGEST_VERSION = 200
_LONGEST_KEY = 64
_NOT_IN_ENVIRONMENT = frozenset("/\r\n\f")


@dataclass(frozen=True, slots=True, kw_only=True)
class Ref:
    """The head of a release in one repository, and where the release before it ended."""

    repository: str
    commit: str
    previous: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class NewRelease:
    """A request to create or change a release. None: not said. `commits` are still as the client sent them."""

    version: str
    projects: tuple[int | str, ...] | None = None
    ref: str | None = None
    url: str | None = None
    released_at: datetime | None = None
    commits: list[dict[str, Any]] | None = None
    refs: tuple[Ref, ...] | None = None
    is_archived: bool | None = None


def _version(value: object) -> str:
    found: str = text(longest=LONGEST_VERSION, trim=False)(value)
    if not is_allowed(found):
        raise Fault([f"Release with name {found} is not allowed"])
    return found


def _status(value: object) -> bool:
    found: str = text()(value)
    if found not in ("open", "archived"):
        raise Fault([f"Invalid status {found}"])
    return found == "archived"


def _commit_or_range(value: object) -> str:
    """`SHA` or `START..END`. A second `..` makes the original fail; here it is refused."""
    found: str = text()(value)
    if found.startswith("..") or found.endswith(".."):
        raise Fault(["Commit cannot begin or end with .."])
    if ".." not in found:
        if len(found) > _LONGEST_KEY:
            raise Fault([f"Commit too long - max is {_LONGEST_KEY} chars"])
        return found
    start, end = _range(found)
    if max(len(start), len(end)) > _LONGEST_KEY:
        raise Fault([f"Start or end commit too long - max is {_LONGEST_KEY} chars each"])
    return found


def _range(found: str) -> tuple[str, str]:
    start, _, end = found.partition("..")
    if ".." in end or end.startswith("."):
        raise Fault(["Commit range must be START..END"])
    return start, end


def _current_id(value: object) -> str:
    """Of the older form: also a range, of 64 characters in all."""
    found: str = text(longest=_LONGEST_KEY)(value)
    _range(found)
    return found


def _projects(value: object) -> tuple[int | str, ...]:
    """Slugs and numbers; what is neither becomes "", which no project is called."""
    return tuple(project_name(entry) for entry in items(lambda entry: entry, null=True)(value))


def project_name(value: object) -> int | str:
    """A slug, or a number; a number may come as text."""
    if isinstance(value, str):
        return int(value) if value.isascii() and value.isdigit() and len(value) < 19 else value
    return value if isinstance(value, int) and not isinstance(value, bool) else ""


def _change_type(value: object) -> str:
    found: str = text(longest=1)(value)
    if found not in ("A", "M", "D"):
        raise Fault([f"Commit patch_set type {found} is not supported."])
    return found


_FILE = record({"path": Field(text(longest=510), required=True), "type": Field(_change_type, required=True)})
_COMMIT = record(
    {
        "id": Field(text(longest=_LONGEST_KEY), required=True),
        "repository": Field(text(longest=64, blank=True), null=True),
        "message": Field(text(blank=True), null=True),
        "author_name": Field(text(longest=128, blank=True), null=True),
        "author_email": Field(text(longest=75, blank=True), null=True),
        "timestamp": Field(time, null=True),
        "patch_set": Field(items(_FILE), null=True),
    }
)
_REF = record(
    {
        "repository": Field(text(longest=200), required=True),
        "commit": Field(_commit_or_range, required=True),
        "previousCommit": Field(text(longest=_LONGEST_KEY, blank=True), null=True),
    }
)
_HEAD_COMMIT = record(
    {
        "repository": Field(text(longest=64), required=True),
        "currentId": Field(_current_id, required=True),
        "previousId": Field(text(longest=_LONGEST_KEY), null=True),
    }
)
_CHANGE = {
    "ref": Field(text(longest=200, blank=True), null=True),
    "url": Field(url(), null=True),
    "dateReleased": Field(time, null=True),
    "commits": Field(items(_COMMIT)),
    "refs": Field(items(_REF)),
    "headCommits": Field(items(_HEAD_COMMIT)),
    "status": Field(_status),
}
_RELEASE = {"version": Field(_version, required=True), **_CHANGE, "projects": Field(_projects, required=True)}
_PROJECT_RELEASE = {key: field for key, field in _RELEASE.items() if key not in ("projects", "refs", "headCommits")}
_PROJECT_CHANGE = {key: field for key, field in _CHANGE.items() if key not in ("refs", "headCommits")}


def read_new_release(data: object) -> NewRelease:
    """The body of POST to an organization's releases. Raises Fault with every bad field."""
    return _release(record(_RELEASE)(data))


def read_project_release(data: object) -> NewRelease:
    """The body of POST to a project's releases: no `projects`; `refs` are not taken there."""
    return _release(record(_PROJECT_RELEASE)(data))


def read_change(data: object, version: str) -> NewRelease:
    """The body of PUT; `version`, `projects` and `owner` are not read there."""
    return _release({**record(_CHANGE)(data), "version": version})


def read_project_change(data: object, version: str) -> NewRelease:
    """The same for PUT to a project's release, where `refs` and `headCommits` are not read."""
    return _release({**record(_PROJECT_CHANGE)(data), "version": version})


def _release(found: dict[str, Any]) -> NewRelease:
    refs = tuple(_ref(item) for item in found["refs"]) if "refs" in found else None
    if not refs and found.get("headCommits"):  # the older name counts only where the newer one says nothing
        refs = tuple(_head(item) for item in found["headCommits"])
    return NewRelease(
        version=found["version"],
        projects=found.get("projects"),
        ref=found.get("ref"),
        url=found.get("url"),
        released_at=found.get("dateReleased"),
        commits=found.get("commits"),
        refs=refs,
        is_archived=found.get("status"),
    )


def _ref(item: dict[str, Any]) -> Ref:
    start, separator, end = item["commit"].partition("..")
    if separator:
        return Ref(repository=item["repository"], commit=end, previous=start)
    return Ref(repository=item["repository"], commit=item["commit"], previous=item.get("previousCommit") or None)


def _head(item: dict[str, Any]) -> Ref:
    start, _, end = item["currentId"].partition("..")
    if start and end:
        return Ref(repository=item["repository"], commit=end, previous=start)
    return Ref(repository=item["repository"], commit=item["currentId"], previous=item.get("previousId") or None)


@dataclass(frozen=True, slots=True, kw_only=True)
class NewDeploy:
    """A request to record a deploy. `projects` None: all of the release's."""

    environment: str
    name: str | None
    url: str | None
    started_at: datetime | None
    finished_at: datetime | None
    projects: tuple[int | str, ...] | None


def _environment(value: object) -> str:
    found: str = text(longest=64)(value)
    if _NOT_IN_ENVIRONMENT & set(found):
        raise Fault(["Invalid value for environment"])
    return found


def _some_projects(value: object) -> tuple[int | str, ...]:
    found = items(project_name)(value)
    if not found:
        raise Fault(["This list may not be empty."])
    return tuple(found)


_DEPLOY = record(
    {
        "environment": Field(_environment, required=True),
        "name": Field(text(longest=64, blank=True), null=True),
        "url": Field(url(), null=True),
        "dateStarted": Field(time, null=True),
        "dateFinished": Field(time, null=True),
        "projects": Field(_some_projects),
    }
)


def read_deploy(data: object) -> NewDeploy:
    """The body of POST to a release's deploys. Raises Fault with every bad field."""
    found = _DEPLOY(data)
    return NewDeploy(
        environment=found["environment"],
        name=found.get("name"),
        url=found.get("url"),
        started_at=found.get("dateStarted"),
        finished_at=found.get("dateFinished"),
        projects=found.get("projects"),
    )

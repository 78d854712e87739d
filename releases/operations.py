"""What POST and PUT do to a release, as one transaction: a refusal anywhere leaves nothing behind."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy.engine import Connection, RowMapping

from releases.errors import forbidden, invalid, missing
from releases.http.request import Call, refuses_shared
from releases.serializers import releases as release_serializer
from releases.store import commits, refs
from releases.store import releases as release_store
from releases.store.commit_plan import plan_commits
from releases.tenancy import organizations, visibility
from releases.validation.requests import NewRelease


@dataclass(frozen=True, slots=True)
class Reached:
    """A release's row, and the projects that the answer may speak of: None for every one."""

    row: RowMapping
    visible: frozenset[int] | None


@dataclass(frozen=True, slots=True)
class Outcome:
    """The answer to a POST; `to_find`: the release whose refs, or commits that others wait for, were stored."""

    status: int
    body: dict[str, Any]
    to_find: int | None


def create(
    connection: Connection,
    call: Call,
    new: NewRelease,
    owner_id: int | None,
    user_agent: str | None,
    *,
    is_project: bool = False,
) -> Outcome:
    """201 for a new release or a newly linked project, else 208. Raises Refused (400).

    `is_project`: through the address of its one project, where the original does not ask about the release's other projects.
    """
    visible = call.caller.projects if is_project else call.visible
    projects = _visible_projects(connection, call, visible, new.projects or ())
    extra = {"owner_id": owner_id, "user_agent": user_agent}
    row, is_new = release_store.create_or_find(connection, call.organization.id, new, extra, call.now)
    if not is_new:
        if not is_project or refuses_shared():
            _refuse_foreign_projects(connection, call, row)
        if new.is_archived is not None and new.is_archived != row["is_archived"]:
            row = release_store.change(connection, row["id"], {"is_archived": new.is_archived})
    linked = release_store.link_projects(connection, row["id"], {project["id"] for project in projects})
    if row["date_released"] is not None:
        release_store.record_released(connection, row["id"], linked, call.now)
    row = _apply_commits(connection, call, row, new, is_new=is_new)
    known = {row["id"]: projects} if is_new else None  # what a release that was there before is linked to is read
    shown = release_serializer.render_releases(connection, [row], visible=call.caller.projects, projects_of=known)[0]
    return Outcome(201 if is_new or linked else 208, shown, to_find(connection, row, new))


def to_find(connection: Connection, row: RowMapping, new: NewRelease) -> int | None:
    """The release's id if refs may become commits now, its own or another's."""
    has_news = bool(new.refs or new.commits)
    return row["id"] if has_news and refs.is_awaited(connection, row["id"]) else None


def change(connection: Connection, call: Call, row: RowMapping, new: NewRelease) -> RowMapping:
    """PUT: only what was said and is not empty is written; `refs: []` alone clears commits and heads."""
    values: dict[str, Any] = {}
    if new.ref:
        values["ref"] = new.ref
    if new.url:
        values["url"] = new.url
    if new.is_archived:
        values["is_archived"] = True
    if new.released_at is not None:
        values |= {"date_released": new.released_at, "date_sort": new.released_at}
        if row["date_released"] is None:
            ids = [project["id"] for project in release_store.projects_of(connection, row["id"])]
            release_store.record_released(connection, row["id"], ids, call.now)
    if values:
        row = release_store.change(connection, row["id"], values)
    if new.refs == () and not new.commits:
        return _clear(connection, row)
    return _apply_commits(connection, call, row, new, is_new=False)


def reach(
    connection: Connection, call: Call, version: str, *, named: Sequence[str] = (), lock: bool = False, is_change: bool = False
) -> Reached:
    """A release of which the caller may see a project that was asked for. Raises Refused (404, 403 for such a project).

    A release without projects is nobody's: it is reached once a POST links it to one.
    `named`: the projects of the query. `is_change`: the caller is about to change what every project of the release shares.
    """
    row = release_store.find(connection, call.organization.id, version, lock=lock)
    if row is None:
        raise missing()
    visible = visibility.narrow(connection, call.organization.id, call.visible, named)
    ids = {project["id"] for project in release_store.projects_of(connection, row["id"])}
    if not ids or (visible is not None and ids.isdisjoint(visible)):
        raise missing()
    if is_change and refuses_shared() and call.visible is not None and not ids <= call.visible:
        raise forbidden()
    return Reached(row, visible)


def _apply_commits(connection: Connection, call: Call, row: RowMapping, new: NewRelease, *, is_new: bool) -> RowMapping:
    if new.commits:
        planned = plan_commits(new.commits)
        row = commits.replace(connection, call.organization.id, row, planned, call.now, is_new=is_new)
    if new.refs:
        refs.set_heads(connection, call.organization.id, row["id"], new.refs, call.now)
        if not new.commits:
            refs.await_commits(connection, call.organization.id, row["id"], new.refs)
    return row


def _clear(connection: Connection, row: RowMapping) -> RowMapping:
    commits.clear(connection, row["id"])
    refs.clear_heads(connection, row["id"])
    return release_store.change(connection, row["id"], {"commit_count": 0, "last_commit_id": None})


def _visible_projects(
    connection: Connection, call: Call, visible: frozenset[int] | None, named: Sequence[int | str]
) -> Sequence[RowMapping]:
    """The projects named, each once, by id. Raises Refused (400) unless all of them are visible."""
    found = organizations.find_projects(connection, call.organization.id, named)
    rows = {row["id"]: row for row in found.values()}
    if len(found) < len(set(named)) or (visible is not None and not visible.issuperset(rows)):
        raise invalid({"projects": ["Invalid project ids or slugs"]})
    return [rows[number] for number in sorted(rows)]


def _refuse_foreign_projects(connection: Connection, call: Call, row: RowMapping) -> None:
    """A caller limited to some projects may not touch a release that others share. Their names stay hidden from it."""
    if call.caller.projects is None:
        return
    linked = release_store.projects_of(connection, row["id"])
    seen = [project["slug"] for project in linked if call.caller.may_see(project["id"])]
    if len(seen) < len(linked):
        names = ", ".join([*seen, f"{len(linked) - len(seen)} that you may not see"])
        raise invalid({"projects": [f"You do not have permission to one of the projects: {names}"]})

"""A release's commits in the database: replaced as a whole. The caller holds the transaction and the release's lock."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Row, RowMapping

from releases.store import releases
from releases.store.commit_plan import Author, PlannedCommit
from releases.tables.releases import (
    authors,
    commit_files,
    commits,
    release_authors,
    release_commits,
    release_heads,
    release_ranges,
    repositories,
)
from releases.tables.upsert import add_new, insert_new

_CHUNK = 1_000  # names in one IN (...): far below either database's limit of parameters

_SOME_REPOSITORIES = sa.select(repositories.c.id, repositories.c.name).where(
    repositories.c.organization_id == sa.bindparam("organization_id"),
    repositories.c.name.in_(sa.bindparam("names", expanding=True)),
)
_SOME_AUTHORS = sa.select(authors.c.id, authors.c.email, authors.c.name).where(
    authors.c.organization_id == sa.bindparam("organization_id"),
    authors.c.email.in_(sa.bindparam("emails", expanding=True)),
)
_SOME_COMMITS = sa.select(commits.c.id, commits.c.key, commits.c.message, commits.c.author_id, commits.c.date_added).where(
    commits.c.repository_id == sa.bindparam("repository_id"), commits.c.key.in_(sa.bindparam("keys", expanding=True))
)
_RENAME_AUTHOR = sa.update(authors).where(authors.c.id == sa.bindparam("author")).values(name=sa.bindparam("new_name"))
_CHANGE_COMMIT = (
    sa.update(commits)
    .where(commits.c.id == sa.bindparam("commit"))
    .values(
        message=sa.bindparam("new_message"),
        author_id=sa.bindparam("new_author"),
        date_added=sa.bindparam("new_date", type_=commits.c.date_added.type),
    )
)

_Key = tuple[int, str]  # repository id, sha


def replace(
    connection: Connection,
    organization_id: int,
    release: RowMapping,
    planned: Sequence[PlannedCommit],
    now: datetime,
    *,
    is_new: bool,
) -> RowMapping:
    """Make `planned` the release's commits, the only ones, and return the release's row as it is now."""
    repository_ids = _ensure_repositories(connection, organization_id, {item.repository for item in planned}, now)
    author_ids = _ensure_authors(connection, organization_id, [item.author for item in planned if item.author])
    merged = _merge(planned, repository_ids, author_ids, now)
    stored = _ensure_commits(connection, merged)
    _add_files(connection, planned, repository_ids, stored)
    if not is_new:
        clear(connection, release["id"])
    order = [stored[key] for key in merged]
    _link(connection, release["id"], order)
    _set_missing_heads(connection, release["id"], merged, stored)
    values = {"commit_count": len(planned), "last_commit_id": order[0][0] if order else None}
    return releases.change(connection, release["id"], values)


def clear(connection: Connection, release_id: int) -> None:
    """Unlink all commits and forget what was still to be found; the commits themselves stay."""
    for table in (release_commits, release_authors, release_ranges):
        connection.execute(sa.delete(table).where(table.c.release_id == release_id))


def _ensure_repositories(connection: Connection, organization_id: int, names: set[str], now: datetime) -> dict[str, int]:
    """Id by name; a name that is not known yet becomes a repository without provider, no name one placeholder."""
    placeholder = f"organization-{organization_id}"
    wanted = sorted({name or placeholder for name in names})
    found = _select_by(connection, _SOME_REPOSITORIES, "names", wanted, organization_id=organization_id)
    ids = {row.name: row.id for row in found}
    if absent := [name for name in wanted if name not in ids]:
        rows = [{"organization_id": organization_id, "name": name, "date_added": now} for name in absent]
        insert_new(connection, repositories, rows, [repositories.c.id])
        found = _select_by(connection, _SOME_REPOSITORIES, "names", absent, organization_id=organization_id)
        ids |= {row.name: row.id for row in found}
    return {name: ids[name or placeholder] for name in names}


def _ensure_authors(connection: Connection, organization_id: int, named: Sequence[Author]) -> dict[str, int]:
    """Id by e-mail. The last name given for an e-mail is the author's from now on, even none."""
    names = {author.email: author.name for author in dict.fromkeys(named)}
    wanted = sorted(names)
    known = {row.email: row for row in _select_by(connection, _SOME_AUTHORS, "emails", wanted, organization_id=organization_id)}
    absent = [email for email in wanted if email not in known]
    if absent:
        rows = [{"organization_id": organization_id, "email": email, "name": names[email]} for email in absent]
        insert_new(connection, authors, rows, [authors.c.id])
        found = _select_by(connection, _SOME_AUTHORS, "emails", absent, organization_id=organization_id)
        known |= {row.email: row for row in found}
    renamed = [{"author": row.id, "new_name": names[row.email]} for row in known.values() if row.name != names[row.email]]
    if renamed:
        connection.execute(_RENAME_AUTHOR, sorted(renamed, key=lambda change: change["author"]))
    return {email: row.id for email, row in known.items()}


def _merge(
    planned: Sequence[PlannedCommit], repository_ids: dict[str, int], author_ids: dict[str, int], now: datetime
) -> dict[_Key, dict[str, Any]]:
    """One entry per commit, in order; of a commit sent twice, what was said later counts."""
    merged: dict[_Key, dict[str, Any]] = {}
    for item in planned:
        key = (repository_ids[item.repository], item.key)
        entry = merged.setdefault(key, {"message": None, "author_id": None, "date_added": now, "given": set()})
        if "message" in item.given:
            entry["message"] = item.message
        if item.added_at is not None:
            entry["date_added"] = item.added_at
        if item.author is not None:
            entry["author_id"] = author_ids[item.author.email]
        entry["given"] |= item.given | ({"author"} if item.author else set())
    return merged


def _ensure_commits(connection: Connection, merged: dict[_Key, dict[str, Any]]) -> dict[_Key, tuple[int, int | None]]:
    """(id, author id) by key. Inserted in key order, so that two lists that overlap cannot wait for each other."""
    rows = [
        {"repository_id": key[0], "key": key[1], **{name: entry[name] for name in ("message", "author_id", "date_added")}}
        for key, entry in sorted(merged.items())
    ]
    made = insert_new(connection, commits, rows, [commits.c.id, commits.c.repository_id, commits.c.key])
    stored: dict[_Key, tuple[int, int | None]] = {}
    for row in made:
        key = (row.repository_id, row.key)
        stored[key] = (row.id, merged[key]["author_id"])
    if len(stored) < len(merged):
        stored |= _update_commits(connection, {key: entry for key, entry in merged.items() if key not in stored})
    return stored


def _update_commits(connection: Connection, known: dict[_Key, dict[str, Any]]) -> dict[_Key, tuple[int, int | None]]:
    """Commits that were there before: only what the client spoke of, and only where it differs."""
    stored: dict[_Key, tuple[int, int | None]] = {}
    changes: list[dict[str, Any]] = []
    for repository_id in sorted({key[0] for key in known}):
        keys = sorted(key[1] for key in known if key[0] == repository_id)
        for row in _select_by(connection, _SOME_COMMITS, "keys", keys, repository_id=repository_id):
            entry = known[(repository_id, row.key)]
            wanted = (
                entry["message"] if "message" in entry["given"] else row.message,
                entry["author_id"] if "author" in entry["given"] else row.author_id,
                entry["date_added"] if "timestamp" in entry["given"] else row.date_added,
            )
            stored[(repository_id, row.key)] = (row.id, wanted[1])
            if wanted != (row.message, row.author_id, row.date_added):
                names = ("new_message", "new_author", "new_date")
                changes.append({"commit": row.id, **dict(zip(names, wanted, strict=True))})
    if changes:
        connection.execute(_CHANGE_COMMIT, sorted(changes, key=lambda change: change["commit"]))
    return stored


def _add_files(
    connection: Connection,
    planned: Sequence[PlannedCommit],
    repository_ids: dict[str, int],
    stored: dict[_Key, tuple[int, int | None]],
) -> None:
    files: dict[tuple[int, str], str] = {}
    for item in planned:
        commit_id = stored[(repository_ids[item.repository], item.key)][0]
        for path, kind in item.files:
            files.setdefault((commit_id, path), kind)
    rows = [{"commit_id": commit_id, "path": path, "type": files[commit_id, path]} for commit_id, path in sorted(files)]
    add_new(connection, commit_files, rows)


def _link(connection: Connection, release_id: int, order: Sequence[tuple[int, int | None]]) -> None:
    links = [{"release_id": release_id, "position": n, "commit_id": commit_id} for n, (commit_id, _) in enumerate(order)]
    distinct = dict.fromkeys(author_id for _, author_id in order if author_id is not None)
    people = [{"release_id": release_id, "position": n, "author_id": author_id} for n, author_id in enumerate(distinct)]
    if links:
        connection.execute(sa.insert(release_commits), links)
    if people:
        connection.execute(sa.insert(release_authors), people)


def _set_missing_heads(
    connection: Connection,
    release_id: int,
    order: Iterable[_Key],
    stored: dict[_Key, tuple[int, int | None]],
) -> None:
    """The first commit of each repository is its head, where the release has none there yet."""
    heads: dict[int, int] = {}
    for key in order:
        heads.setdefault(key[0], stored[key][0])
    rows = [{"release_id": release_id, "repository_id": repo, "commit_id": heads[repo]} for repo in sorted(heads)]
    add_new(connection, release_heads, rows)


def _select_by(
    connection: Connection, query: sa.Select[Any], name: str, values: Sequence[str], **fixed: int
) -> Iterator[Row[Any]]:
    for start in range(0, len(values), _CHUNK):
        yield from connection.execute(query, {name: list(values[start : start + _CHUNK]), **fixed})

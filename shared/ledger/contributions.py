"""Which commits each repository put into a release: a POST replaces the whole list, so every POST sends the union.

Takes a connection, never commits. The lists are packed: a release of ten thousand commits is one row here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Any, NamedTuple

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from shared.domain.moves import is_older, newest
from shared.domain.push import Commit, FileChange
from shared.domain.versions import names_commit
from shared.infra.database import upsert, upsert_for
from shared.ledger import push_history
from shared.ledger.claims import Claimed
from shared.ledger.reporting_tables import known_repositories
from shared.ledger.tables import contributions, jobs, target_repositories

_KEPT = (
    sa.select(contributions.c.repository_key, contributions.c.commits, known_repositories.c.repository)
    .join_from(contributions, known_repositories, known_repositories.c.key == contributions.c.repository_key, isouter=True)
    .where(contributions.c.target == sa.bindparam("target"), contributions.c.version == sa.bindparam("version"))
    .order_by(contributions.c.repository_key)
)
_MOST_MOVES = 20  # of one tag that are looked back on
_OTHERS = (
    sa.select(jobs.c.id, jobs.c.sha)
    .where(
        jobs.c.repository.in_(sa.bindparam("names", expanding=True)),
        jobs.c.id != sa.bindparam("job"),
        jobs.c.provider == sa.bindparam("provider"),
        jobs.c.ref == sa.bindparam("ref"),
        jobs.c.target == sa.bindparam("target"),
        jobs.c.version == sa.bindparam("version"),
        jobs.c.release_url.is_not(None),
    )
    .order_by(jobs.c.id.desc())
    .limit(_MOST_MOVES)
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Contribution:
    """What one repository puts into a release.

    `commits` are newest first; None: none were sent, and what the release lists stays. `ref`: the tag that it is made of, None
    for a branch. `is_first`: nobody knew before whether the target has the repository. `source`: the repository's; the first
    stays. `is_shared`: repositories of other sources may join.
    """

    target: str
    version: str
    repository_key: str
    full_name: str
    commits: Sequence[Commit] | None = None
    ref: str | None = None
    is_first: bool = False
    source: str | None = None
    is_shared: bool = False


def contribute(connection: Connection, own: Contribution, at: datetime) -> None:
    """Remember what this repository put into the release, and that the target knows it now."""
    row = {
        "target": own.target,
        "version": own.version,
        "repository_key": own.repository_key,
        "commits": _pack(own.commits or ()),
        "ref": own.ref,
        "source": own.source,
        "is_shared": own.is_shared,
        "at": at,
    }
    connection.execute(_contribution(connection.dialect.name, own.commits is not None), row)
    if own.is_first and own.commits:
        learn(connection, own.target, own.full_name, at)


def learn(connection: Connection, target: str, repository: str, at: datetime) -> None:
    """The target knows the repository: from now on any number of jobs may bring its commits at a time."""
    values = upsert(connection, target_repositories).values(target=target, repository=repository, at=at)
    connection.execute(values.on_conflict_do_nothing(index_elements=["target", "repository"]))


@cache
def _contribution(dialect: str, lists_commits: bool) -> Any:
    statement = upsert_for(dialect, contributions)
    new = statement.excluded
    changed = {
        "ref": sa.func.coalesce(new.ref, contributions.c.ref),
        "source": sa.func.coalesce(contributions.c.source, new.source),
        "is_shared": new.is_shared,
        "at": new.at,
    }
    return statement.on_conflict_do_update(
        index_elements=["target", "version", "repository_key"],
        set_={**changed, "commits": new.commits} if lists_commits else changed,
    )


class Kept(NamedTuple):
    """What a repository has put into a release, newest first. `full_name`: what it is called now."""

    full_name: str
    commits: tuple[Commit, ...]


def kept_contributions(connection: Connection, target: str, version: str) -> dict[str, Kept]:
    """By repository key, of all repositories that have put something into this release."""
    rows = connection.execute(_KEPT, {"target": target, "version": version})
    return {row.repository_key: Kept(row.repository or _name_in(row.repository_key), _unpack(row.commits)) for row in rows}


def _name_in(key: str) -> str:
    """For one that has not been settled yet: what it was called first."""
    return key.partition(":")[2].partition("#")[0]


def find_successor(connection: Connection, job: Claimed, key: str, names: Sequence[str]) -> str | None:
    """The commit that this job's ref has moved to, if another job has put that one's commits into the same release.

    `key`, `names`: what the rows of its repository refer to, and all that it was ever called.
    What was announced last counts: a tag may move back to the commit of an older job. A push that was made before another one
    and arrives after it is none that moves a ref (`shared/domain/moves.py`). Of commits that no push announced (reconcile,
    backfill) the newest job's.
    """
    asked = {"names": names, "job": job.id, "provider": job.provider, "ref": job.ref}
    others = connection.execute(_OTHERS, {**asked, "target": job.target, "version": job.version}).all()
    shas = {job.sha, *(other.sha for other in others)}
    if not others:
        return None if job.release_url is not None else _overtaken(connection, job, key)
    last = newest(push_history.announced(connection, key, job.ref, shas))
    if last is None or last.sha is None:
        return others[0].sha if others[0].id > job.id else None
    return None if last.sha == job.sha else last.sha


def _overtaken(connection: Connection, job: Claimed, key: str) -> str | None:
    """Where the ref has gone since this job's push was made, when the job of that has expired. The release is there."""
    if names_commit(job.version, job.sha):
        return None
    found = push_history.announced(connection, key, job.ref)
    last, own = newest(found), newest([push for push in found if push.sha == job.sha])
    return last.sha if last is not None and own is not None and is_older(own, last) else None


def has_other_job(connection: Connection, job: Claimed) -> bool:
    """Whether another job of this repository has made this release, of whatever ref."""
    is_of_same = [jobs.c.repository == job.repository]
    if job.repository_id is not None:
        is_of_same.append(jobs.c.repository_id == job.repository_id)
    others = sa.select(jobs.c.id).where(
        jobs.c.target == job.target,
        jobs.c.version == job.version,
        jobs.c.provider == job.provider,
        sa.or_(*is_of_same),
        jobs.c.id != job.id,
        jobs.c.release_url.is_not(None),
    )
    return connection.execute(others.limit(1)).first() is not None


def _pack(commits: Sequence[Commit]) -> list[tuple[Any, ...]]:
    return [
        (
            commit.id,
            commit.message,
            commit.author_name,
            commit.author_email,
            commit.timestamp.isoformat() if commit.timestamp else None,
            None if commit.files is None else [(change.path, change.type) for change in commit.files],
        )
        for commit in commits
    ]


def _unpack(rows: Sequence[Any]) -> tuple[Commit, ...]:
    return tuple(
        Commit(
            id=sha,
            message=message,
            author_name=name,
            author_email=email,
            timestamp=datetime.fromisoformat(at) if at else None,
            files=None if files is None else tuple(FileChange(path, kind) for path, kind in files),
        )
        for sha, message, name, email, at, files in rows
    )

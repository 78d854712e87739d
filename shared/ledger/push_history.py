"""The commit log: what every authentic push said, kept once per repository (written by way of `pending_pushes.py`).

Takes a connection, never commits. Answers facts only; which range they prove is decided in `worker/commits/push_chain.py`.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from datetime import datetime, timedelta
from functools import cache
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql
from sqlalchemy.engine import Connection

from shared.domain.commit_range import LoggedPush
from shared.domain.moves import Announced
from shared.domain.push import Commit, FileChange, Push, is_zero
from shared.infra.database import upsert_for
from shared.ledger.tables import commits, contributions, pushes

_MOST_IDS = 5_000  # a query
_MOST_AHEAD = timedelta(days=1)  # of our clock: a push from the future would hold its ref for ever
_MOST_OF_REF = 200  # pushes
_MOST_HEADS = 200  # pushes that are looked back on
MOST_COMMITS = 500  # rows a statement, and about what a transaction should write: a tenth of a second for other writers
# Built once: a statement that is built for each call costs more than its execution.
_OF_REF = (pushes.c.repository_key == sa.bindparam("repository"), pushes.c.ref == sa.bindparam("ref"))
_THIS = sa.select(sa.func.min(pushes.c.seq)).where(
    *_OF_REF, pushes.c.before == sa.bindparam("before"), pushes.c.sha == sa.bindparam("after")
)
_LED_HERE = sa.select(pushes.c.seq).where(*_OF_REF, pushes.c.sha == sa.bindparam("before")).limit(1)
_LAST = sa.select(pushes.c.sha).where(*_OF_REF, pushes.c.seq < sa.bindparam("this")).order_by(pushes.c.seq.desc()).limit(1)


@cache
def _new_pushes(dialect: str) -> Any:
    return upsert_for(dialect, pushes).on_conflict_do_nothing()


@cache
def _new_commits(dialect: str) -> Any:
    statement = upsert_for(dialect, commits)
    return statement.on_conflict_do_update(
        index_elements=["repository_key", "id"],
        set_={"files": sa.func.coalesce(statement.excluded.files, commits.c.files)},
        where=commits.c.files.is_(None),
    )


@cache
def _known(dialect: str) -> Any:
    """All ids are one parameter: a statement with a parameter for each costs more than the look-up of them."""
    if dialect == "postgresql":
        is_asked = commits.c.id == sa.any_(sa.bindparam("ids", type_=postgresql.ARRAY(sa.String)))
    else:
        asked = sa.func.json_each(sa.bindparam("ids", type_=sa.JSON)).table_valued("value")
        is_asked = commits.c.id.in_(sa.select(asked.c.value))
    return sa.select(commits).where(commits.c.repository_key == sa.bindparam("repository"), is_asked)


def save_push(connection: Connection, seq: int, push: Push, listed: Iterable[Commit], at: datetime) -> None:
    """Keep a push and the commits that it lists. `seq`: its delivery's. What is there already stays as it is."""
    lock(connection, push.repository.log_key)
    connection.execute(_new_pushes(connection.dialect.name), push_values(seq, push, at))
    _save(connection, push.repository.log_key, listed, at)


def push_values(seq: int, push: Push, at: datetime) -> dict[str, Any]:
    """The row of a push. `seq`: its delivery's."""
    return {
        "seq": seq,
        "repository_key": push.repository.log_key,
        "ref": push.ref.full,
        "before": push.before,
        "sha": None if push.is_deleted or not push.is_peeled else push.sha,
        "commit_ids": [commit.id for commit in push.commits],
        "total": push.commits_total,
        "is_forced": push.is_forced,
        "at": at,
        "pushed_at": None if push.pushed_at is None or push.pushed_at > at + _MOST_AHEAD else push.pushed_at,
    }


def listed_commits(push: Push) -> Iterable[Commit]:
    """All commits that a push says anything about."""
    listed = {commit.id: commit for commit in push.commits}
    if push.head_commit is not None:
        listed.setdefault(push.head_commit.id, push.head_commit)
    return listed.values()


def save_commits(connection: Connection, repository_key: str, found: Iterable[Commit], at: datetime) -> None:
    """Keep commits; one that is known already gains its file list if it had none."""
    lock(connection, repository_key)
    _save(connection, repository_key, found, at)


def _save(connection: Connection, repository_key: str, found: Iterable[Commit], at: datetime) -> None:
    rows = [commit_values(repository_key, commit, at) for commit in found]
    for start in range(0, len(rows), MOST_COMMITS):
        connection.execute(_new_commits(connection.dialect.name), rows[start : start + MOST_COMMITS])


def commit_values(repository_key: str, commit: Commit, at: datetime) -> dict[str, Any]:
    """The row of a commit."""
    return {
        "repository_key": repository_key,
        "id": commit.id,
        "message": commit.message,
        "author_name": commit.author_name,
        "author_email": commit.author_email,
        "timestamp": commit.timestamp,
        "files": None if commit.files is None else [[change.path, change.type] for change in commit.files],
        "seen_at": at,
    }


def known_commits(connection: Connection, repository_key: str, ids: Sequence[str]) -> dict[str, Commit]:
    """{id: Commit} of those that the log knows."""
    found: dict[str, Commit] = {}
    statement = _known(connection.dialect.name)
    for start in range(0, len(ids), _MOST_IDS):
        for row in connection.execute(statement, {"repository": repository_key, "ids": list(ids[start : start + _MOST_IDS])}):
            found[row.id] = Commit(
                id=row.id,
                message=row.message,
                author_name=row.author_name,
                author_email=row.author_email,
                timestamp=row.timestamp,
                files=None if row.files is None else tuple(FileChange(path, kind) for path, kind in row.files),
            )
    return found


def branch_pushes_to(connection: Connection, repository_key: str, sha: str) -> list[LoggedPush]:
    """Branch pushes whose new head was this commit, newest first."""
    statement = (
        sa.select(pushes)
        .where(pushes.c.repository_key == repository_key, pushes.c.sha == sha, pushes.c.ref.like("refs/heads/%"))
        .order_by(pushes.c.seq.desc())
        .limit(20)
    )
    return [_logged(row) for row in connection.execute(statement)]


def announced(connection: Connection, repository_key: str, ref: str, shas: Collection[str] | None = None) -> list[Announced]:
    """The last pushes of a ref in the order of their arrival; only those to `shas` where it is given."""
    statement = sa.select(pushes.c.sha, pushes.c.pushed_at).where(
        pushes.c.repository_key == repository_key, pushes.c.ref == ref
    )
    if shas is not None:
        statement = statement.where(pushes.c.sha.in_(shas))
    rows = connection.execute(statement.order_by(pushes.c.seq.desc()).limit(_MOST_OF_REF)).all()
    return [Announced(row.sha, row.pushed_at) for row in reversed(rows)]


def last_pushes(connection: Connection, repository_key: str) -> list[LoggedPush]:
    """The newest pushes of a repository, branches and tags."""
    statement = sa.select(pushes).where(pushes.c.repository_key == repository_key).order_by(pushes.c.seq.desc()).limit(50)
    return [_logged(row) for row in connection.execute(statement)]


_MOST_ANNOUNCED = 100_000


def announced_tags(connection: Connection, repository_key: str) -> dict[str, str]:
    """{tag name: commit} as the newest 100,000 pushes of tags announced them, deleted ones left out, moved ones where they
    are now."""
    statement = (
        sa.select(pushes.c.ref, pushes.c.sha)
        .where(pushes.c.repository_key == repository_key, pushes.c.ref.like("refs/tags/%"))
        .order_by(pushes.c.seq.desc())
        .limit(_MOST_ANNOUNCED)
    )
    newest_first = connection.execute(statement).all()
    latest = {row.ref.removeprefix("refs/tags/"): row.sha for row in reversed(newest_first)}
    return {name: sha for name, sha in latest.items() if sha is not None}


def heads_before(connection: Connection, repository_key: str, ref: str, before: str, after: str) -> list[str]:
    """The commits that branch pushes led to before this push, each once, the newest first; of a repository's last pushes."""
    this = connection.execute(_THIS, {"repository": repository_key, "ref": ref, "before": before, "after": after}).scalar()
    if this is None:
        return []
    statement = (
        sa.select(pushes.c.sha)
        .where(pushes.c.repository_key == repository_key, pushes.c.ref.like("refs/heads/%"), pushes.c.seq < this)
        .order_by(pushes.c.seq.desc())
        .limit(_MOST_HEADS)
    )
    return [sha for sha in dict.fromkeys(connection.execute(statement).scalars()) if sha is not None]


def tags_announced_since(connection: Connection, repository_key: str, since: datetime) -> dict[str, str | None]:
    """{tag name: commit} of the tags that pushes announced since then, None for one that was deleted."""
    statement = (
        sa.select(pushes.c.ref, pushes.c.sha, pushes.c.before)
        .where(pushes.c.repository_key == repository_key, pushes.c.ref.like("refs/tags/%"), pushes.c.at >= since)
        .order_by(pushes.c.seq)
    )
    told = (row for row in connection.execute(statement) if row.sha is not None or not is_zero(row.before))
    return {row.ref.removeprefix("refs/tags/"): row.sha for row in told}  # a new tag without a sha: its payload named none


def lost_base(connection: Connection, repository_key: str, ref: str, before: str, after: str) -> str | None:
    """Where this branch stood when we last heard of it, if a push between that and before..after never reached us.

    None when nothing is missing: some push led to `before` (in whatever order they arrived), or this is the first we hear.
    """
    asked = {"repository": repository_key, "ref": ref, "before": before}
    this = connection.execute(_THIS, {**asked, "after": after}).scalar_one_or_none()
    if this is None or connection.execute(_LED_HERE, asked).first():
        return None
    return connection.execute(_LAST, {"repository": repository_key, "ref": ref, "this": this}).scalar_one_or_none()


def forget(connection: Connection, *, before: datetime, limit: int = 500) -> int:
    """Drop up to `limit` rows of each kind that are older than `before`; returns how many went. Call it until it is 0."""
    dropped = 0
    for table, keys, age in (
        (pushes, (pushes.c.seq,), pushes.c.at),
        (commits, (commits.c.repository_key, commits.c.id), commits.c.seen_at),
        (
            contributions,
            (contributions.c.target, contributions.c.version, contributions.c.repository_key),
            contributions.c.at,
        ),
    ):
        old = sa.select(*keys).where(age < before).limit(limit)
        dropped += connection.execute(sa.delete(table).where(sa.tuple_(*keys).in_(old))).rowcount
    return dropped


def lock(connection: Connection, repository_key: str) -> None:
    """One writer a repository: two that insert the same commits in another order would lock each other out."""
    if connection.dialect.name == "postgresql":
        connection.execute(sa.select(sa.func.pg_advisory_xact_lock(sa.func.hashtext(f"commits {repository_key}"))))


def _logged(row: Any) -> LoggedPush:
    return LoggedPush(
        seq=row.seq,
        ref=row.ref,
        before=row.before,
        sha=row.sha,
        commit_ids=tuple(row.commit_ids),
        total=row.total,
        is_forced=row.is_forced,
    )

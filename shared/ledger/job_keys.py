"""What jobs are unique by: target, repository, ref and commit; the repository is its provider's number (docs/decisions/0016).

Jobs from before there were numbers are unique by the repository's name as it was spelled, and keep their keys. Takes a
connection, never commits.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from shared.domain.identity import is_same_source
from shared.domain.push import Push
from shared.domain.rules import Source
from shared.ledger.identities import names_of
from shared.ledger.tables import jobs


def key_of(target: str, push: Push) -> str:
    """A digest, since ref names outgrow what an index may hold. No name begins with `#`."""
    number = push.repository.id
    return _digest(target, push, push.repository.full_name if number is None else f"#{number}")


def name_keys(target: str, push: Push, names: Iterable[str]) -> list[str]:
    """What the job had before there were numbers, under each of these names."""
    return [_digest(target, push, name) for name in names]


def _digest(target: str, push: Push, repository: str) -> str:
    parts = (target, push.repository.provider, repository, push.ref.full, push.sha or "")
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


def find(connection: Connection, push: Push, target: str, sources: Sequence[Source] = ()) -> tuple[str | None, str]:
    """(id of the push's job at this target, if there is one; the key that it has, or would have).

    Whoever may speak for one repository only could name another one's number: then the name counts, as it did before.
    """
    repository, key = push.repository, key_of(target, push)
    row = connection.execute(sa.select(jobs.c.id, jobs.c.repository).where(jobs.c.key == key)).one_or_none()
    if row is not None:
        if is_same_source(sources, repository.provider, row.repository, repository.full_name):
            return row.id, key
        (key,) = name_keys(target, push, [repository.full_name])
    names = names_of(connection, repository, sources).without_number
    same = connection.execute(_without_number(push, target, names)).first()
    return None if same is None else same[0], key


def _without_number(push: Push, target: str, names: Sequence[str]) -> sa.Select[str]:
    """The job of a push where the job, or the push, has only a name."""
    if push.repository.id is not None:
        old = jobs.c.key.in_(name_keys(target, push, names))
        return sa.select(jobs.c.id).where(old, jobs.c.repository_id.is_(None)).limit(1)
    same = (
        jobs.c.repository.in_(names),
        jobs.c.provider == push.repository.provider,
        jobs.c.ref == push.ref.full,
        jobs.c.sha == push.sha,
        jobs.c.target == target,
    )
    return sa.select(jobs.c.id).where(*same).limit(1)

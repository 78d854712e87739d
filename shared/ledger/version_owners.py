"""Which tag of a repository made the release of a version at a target, and whether that tag still exists.

Takes a connection, never commits.
"""

from __future__ import annotations

from collections.abc import Sequence

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from shared.domain.push import is_zero
from shared.domain.reasons import Reason
from shared.domain.source_versions import Holder
from shared.ledger.claims import Claimed
from shared.ledger.reporting_tables import known_repositories
from shared.ledger.tables import contributions, deliveries, pushes

_TAG = sa.select(contributions.c.ref).where(
    contributions.c.target == sa.bindparam("target"),
    contributions.c.version == sa.bindparam("version"),
    contributions.c.repository_key == sa.bindparam("key"),
)
_HOLDERS = (
    sa.select(
        contributions.c.repository_key,
        contributions.c.source,
        contributions.c.is_shared,
        known_repositories.c.provider,
        known_repositories.c.repository,
    )
    .join_from(contributions, known_repositories, known_repositories.c.key == contributions.c.repository_key, isouter=True)
    .where(contributions.c.target == sa.bindparam("target"), contributions.c.version == sa.bindparam("version"))
    .order_by(contributions.c.repository_key)
)
_LATEST_DELIVERY = (
    sa.select(deliveries.c.reason)
    .where(
        deliveries.c.provider == sa.bindparam("provider"),
        deliveries.c.repository.in_(sa.bindparam("names", expanding=True)),
        deliveries.c.ref == sa.bindparam("ref"),
    )
    .order_by(deliveries.c.seq.desc())
    .limit(1)
)
_LATEST_PUSH = (
    sa.select(pushes.c.sha, pushes.c.before)
    .where(pushes.c.repository_key == sa.bindparam("key"), pushes.c.ref == sa.bindparam("ref"))
    .order_by(pushes.c.seq.desc())
    .limit(1)
)


def find_tag(connection: Connection, job: Claimed, repository_key: str) -> str | None:
    """The full ref of the tag of the repository that made the job's release; None where it was none, or an older program."""
    asked = {"target": job.target, "version": job.version, "key": repository_key}
    return connection.execute(_TAG, asked).scalar_one_or_none()


def find_holders(connection: Connection, job: Claimed) -> list[Holder]:
    """All repositories that have put something into the job's release."""
    found = []
    for row in connection.execute(_HOLDERS, {"target": job.target, "version": job.version}):
        provider, _, name = row.repository_key.partition("#")[0].partition(":")  # of one that no push was logged of
        found.append(
            Holder(row.repository_key, row.source, bool(row.is_shared), row.provider or provider, row.repository or name)
        )
    return found


def is_deleted(connection: Connection, provider: str, names: Sequence[str], repository_key: str, ref: str) -> bool:
    """Whether the last that was heard of this ref of a repository, by any of its names, is that it was deleted."""
    asked = {"provider": provider, "names": list(names), "ref": ref}
    latest = connection.execute(_LATEST_DELIVERY, asked).one_or_none()
    if latest is not None:
        return bool(latest.reason == Reason.REF_DELETED)
    pushed = connection.execute(_LATEST_PUSH, {"key": repository_key, "ref": ref}).one_or_none()
    return pushed is not None and pushed.sha is None and not is_zero(pushed.before)  # deliveries expire before the push history

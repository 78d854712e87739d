"""Keeps two tags of one repository, and repositories of two sources, from making one release: who made it first keeps it."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy.engine import Engine

from shared.domain.push import Ref
from shared.domain.reasons import Reason
from shared.domain.rules import Source
from shared.domain.source_versions import find_owner
from shared.domain.versions import names_commit
from shared.errors import PermanentError
from shared.infra.database import reading
from shared.ledger import version_owners
from shared.ledger.claims import Claimed
from shared.ledger.contributions import Contribution


def check_version(engine: Engine, job: Claimed, own: Contribution, names: Sequence[str], sources: Sequence[Source]) -> None:
    """`own`: what the job's repository is about to put into the release. `names`: all that it was ever called.

    Raises PermanentError (`version_taken`) where a repository of another source made this release and not both share it, or
    another tag of the repository did and was not deleted since.

    Jobs of one release run one after another, so nobody else makes it meanwhile.
    """
    repository_key = own.repository_key
    if sources:
        _check_source(engine, job, own, sources)
    ref = Ref(job.ref)
    if ref.kind != "tag" or names_commit(job.version, job.sha):
        return
    with reading(engine).begin() as connection:
        other = version_owners.find_tag(connection, job, repository_key)
        if other is None or other == job.ref:
            return
        if version_owners.is_deleted(connection, job.provider, names, repository_key, other):
            return
    raise PermanentError(
        f"the tag {Ref(other).name!r} of {job.repository} has made the release {job.version!r}, and {ref.name!r} maps to the "
        "same version: use a release template that tells them apart, or delete that tag, then replay",
        reason=Reason.VERSION_TAKEN,
    )


def _check_source(engine: Engine, job: Claimed, own: Contribution, sources: Sequence[Source]) -> None:
    with reading(engine).begin() as connection:
        holders = version_owners.find_holders(connection, job)
    owner = find_owner(holders, own.repository_key, own.source or "", is_shared=own.is_shared, sources=sources)
    if owner is not None:
        raise PermanentError(
            f"the release {job.version!r} belongs to {owner.provider}:{owner.name}, which another secret speaks for: use a "
            "release template that tells them apart, such as {repo}@{tag}, or set `shared = true` in both rules, then replay",
            reason=Reason.VERSION_TAKEN,
        )

"""Keeps two tags of one repository from making one release: the one that made it first keeps it."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy.engine import Engine

from shared.domain.push import Ref
from shared.domain.reasons import Reason
from shared.domain.versions import names_commit
from shared.errors import PermanentError
from shared.infra.database import reading
from shared.ledger import version_owners
from shared.ledger.claims import Claimed


def check_version(engine: Engine, job: Claimed, repository_key: str, names: Sequence[str]) -> None:
    """`repository_key`: what the rows of the job's repository refer to. `names`: all that it was ever called.

    Raises PermanentError (`version_taken`) where another tag of the repository made this release and was not deleted since.

    Jobs of one release run one after another, so nobody else makes it meanwhile.
    """
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

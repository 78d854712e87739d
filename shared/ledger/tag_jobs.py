"""The jobs that the ledger has for the tags of one repository, found by their names."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Engine

from shared.domain.job_states import WAITING, JobState
from shared.domain.push import Repository
from shared.infra.database import reading
from shared.ledger.identities import Names
from shared.ledger.tables import jobs

ON_ITS_WAY = "on_its_way"  # a job of the tag's name waits; which commit it leads to is not known yet


class TagJobs:
    """The ledger's jobs for tags of a repository, by target and the tag's name."""

    def __init__(self, engine: Engine, repository: Repository, names: Names) -> None:
        head = jobs.c.range["head"].as_string()
        statement = (
            sa.select(jobs.c.target, jobs.c.ref, jobs.c.sha, jobs.c.status, jobs.c.reason, head.label("head"))
            .where(
                jobs.c.provider == repository.provider,
                jobs.c.repository.in_(names.every),
                jobs.c.ref.like("refs/tags/%"),
                sa.case(
                    (jobs.c.repository_id.is_(None), jobs.c.repository.in_(names.without_number)),
                    else_=sa.or_(sa.literal(repository.id, sa.BigInteger).is_(None), jobs.c.repository_id == repository.id),
                ),
            )
            .order_by(jobs.c.id)
        )
        self._rows: dict[tuple[str, str], list[Any]] = {}
        with reading(engine).begin() as connection:
            for row in connection.execute(statement):
                self._rows.setdefault((row.target, row.ref.removeprefix("refs/tags/")), []).append(row)

    def find(self, target: str, tag: str, sha: str) -> tuple[str, str | None] | None:
        """(state, reason) of the tag's job on this commit. A webhook may have named the tag's object instead of its commit:
        then the range tells, and while there is none, a job of this name is taken for the tag's."""
        rows = self._rows.get((target, tag), [])
        same = [row for row in rows if sha in (row.sha, row.head)]
        if same:
            return same[-1].status, same[-1].reason
        is_on_its_way = any(row.head is None and row.status in (*WAITING, JobState.RUNNING) for row in rows)
        return (ON_ITS_WAY, None) if is_on_its_way else None

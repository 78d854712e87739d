"""The deploys that jobs have recorded at a target. Takes a connection, never commits."""

from __future__ import annotations

from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from shared.domain.deploy_order import Deploy
from shared.ledger.claims import Claimed
from shared.ledger.tables import jobs

_MOST_JOBS = 200  # the repository's newest
_NEWEST = (
    sa.select(jobs.c.id)
    .where(jobs.c.repository == sa.bindparam("repository"), jobs.c.provider == sa.bindparam("provider"))
    .order_by(jobs.c.id.desc())
    .limit(_MOST_JOBS)
)
_DEPLOYS = sa.select(jobs.c.version, jobs.c.spec, jobs.c.deploy).where(
    jobs.c.id.in_(_NEWEST),
    jobs.c.id != sa.bindparam("job"),
    jobs.c.target == sa.bindparam("target"),
    jobs.c.deploy.is_not(None),
)


def find(connection: Connection, job: Claimed) -> list[Deploy]:
    """Those of other jobs of the job's repository at its target, as far as its newest jobs know."""
    asked = {"repository": job.repository, "provider": job.provider, "job": job.id, "target": job.target}
    return [
        Deploy(
            version=row.version,
            environment=row.spec["environment"],
            projects=frozenset(row.spec["projects"]),
            finished_at=datetime.fromisoformat(row.deploy["finished_at"]),
        )
        for row in connection.execute(_DEPLOYS, asked)
        if row.deploy["state"] == "sent"
    ]

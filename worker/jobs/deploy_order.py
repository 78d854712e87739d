"""Says that a version was deployed late: its deploy has the time of its event, and a later one is recorded already."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy.engine import Engine

from shared.domain.deploy_order import Deploy, warn_of_later
from shared.domain.job_warnings import JobWarning
from shared.infra.database import reading
from shared.ledger import recorded_deploys
from shared.ledger.claims import Claimed


def check_order(engine: Engine, job: Claimed, deployed_at: datetime) -> tuple[JobWarning, ...]:
    """The warning of a later deploy of the job's repository, if there is one."""
    mine = Deploy(
        version=job.version,
        environment=job.spec["environment"],
        projects=frozenset(job.spec["projects"]),
        finished_at=deployed_at,
    )
    with reading(engine).begin() as connection:
        warning = warn_of_later(mine, recorded_deploys.find(connection, job))
    return () if warning is None else (warning,)

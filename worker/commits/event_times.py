"""When what a job announces happened: the date of its release and deploys."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy.engine import Engine

from shared.domain.push import Repository, tag_push
from shared.domain.rules import Source
from shared.infra.database import reading
from shared.ledger import claims
from shared.ledger.claims import Claimed
from worker.commits.release_commits import Gathered


def find_event_at(engine: Engine, job: Claimed, gathered: Gathered, sources: Sequence[Source]) -> datetime:
    """When the delivery came; of a tag without one the tag's date, else its commit's time, where that is known.

    A release that is there keeps the date it has. That of a tag is never before the release it counts from, so that whoever
    sorts by date sees them in their order.
    """
    if job.delivery_id is not None or job.release_url is not None:
        return min(job.event_at or job.created_at, job.created_at)
    commits = (commit for part in gathered.listed for commit in part.commits if commit.id == job.sha)
    at = job.event_at or next((commit.timestamp for commit in commits if commit.timestamp is not None), job.created_at)
    found = gathered.range or {}
    if found.get("base") and found.get("base_tag"):
        repository = Repository(job.provider, job.repository, id=job.repository_id)
        with reading(engine).begin() as connection:
            base = tag_push(repository, found["base_tag"], found["base"])
            at = max(at, claims.event_at(connection, base, job.target, sources) or at)
    return min(at, job.created_at)

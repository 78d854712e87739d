"""A repository at the fake forge, its tags taken in, and a worker that asks it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx2
import sqlalchemy as sa
from sqlalchemy.engine import Engine

from shared.config.settings import ForgeSettings
from shared.domain.push import Push
from shared.domain.rules import CommitRules, Rules, decide
from shared.domain.webhook import Incoming
from shared.forges import PROVIDERS
from shared.ledger import deliveries
from shared.ledger.tables import holds
from shared.ledger.tables import jobs as job_table
from shared.targets.repository_names import RepositoryNames
from tests.forge import Built, History
from tests.target import Target
from tests.worker_run import rules
from webhook.local.sample_webhooks import Sample, SampleCommit, github_push, sign_github
from worker.commits.forge_pool import Forges
from worker.commits.release_commits import Gatherer
from worker.jobs.attempt import Tools
from worker.jobs.runner import Runner

TAGS = [f"v1.{number}.0" for number in range(5)]


def five_tags(folder: Path) -> Built:
    """TAGS on one line, three commits each."""
    made = History()
    for number, tag in enumerate(TAGS):
        made.line(f"c{number}-", 3, *([f"c{number - 1}-3"] if number else []))
        made.tag(tag, f"c{number}-3", depth=1)
    return made.build(folder / "repository")


def runner(
    engine: Engine,
    client: httpx2.Client,
    in_force: Rules,
    url: str,
    *,
    provider: str = "github",
    is_named: bool = True,
    token: str | None = "t",
) -> Runner:
    forges = Forges(client, {provider: ForgeSettings(url, token, is_named=is_named)})
    gatherer = Gatherer(engine, forges, RepositoryNames(), in_force.commits)
    return Runner(engine, Tools(client=client, rules=in_force, token=lambda _: "s3cret", gatherer=gatherer))


def accept(
    engine: Engine, in_force: Rules, tag: str, sha: str, at: datetime | None = None, *, repository: str = "acme/shop"
) -> str:
    head = SampleCommit("the tagged one", id=sha)
    return accept_sample(
        engine, in_force, sign_github(github_push(repository=repository, ref=f"refs/tags/{tag}", head=head), "x"), at
    )[0]


def accept_sample(engine: Engine, in_force: Rules, sample: Sample, at: datetime | None = None) -> tuple[str, ...]:
    """The ids of its jobs."""
    return accept_receipt(engine, in_force, sample, at).jobs


def accept_receipt(engine: Engine, in_force: Rules, sample: Sample, at: datetime | None = None) -> deliveries.Receipt:
    headers = {key.lower(): value for key, value in sample.headers.items()}
    hook = PROVIDERS[sample.provider].read(Incoming(headers, sample.body))
    assert isinstance(hook.content, Push)
    with engine.begin() as connection:
        return deliveries.accept(
            connection,
            deliveries.Arrival(
                provider=sample.provider,
                hook=hook,
                decision=decide(hook.content, in_force),
                headers=headers,
                body=sample.body,
                now=at or datetime.now(UTC),
            ),
        )


def patient(url: str) -> Rules:
    """With a file that says how long a release may wait."""
    given = rules(url)
    return Rules(given.rules, given.targets, CommitRules(wait=timedelta(minutes=15)))


def accept_all(engine: Engine, in_force: Rules, built: Built) -> list[str]:
    return [accept(engine, in_force, tag, built.sha[tag]) for tag in TAGS]


def age(engine: Engine, job_id: str, by: timedelta) -> None:
    with engine.begin() as connection:
        old = datetime.now(UTC) - by
        connection.execute(job_table.update().where(job_table.c.id == job_id).values(created_at=old))


def end_holds(engine: Engine) -> None:
    with engine.begin() as connection:
        connection.execute(sa.delete(holds))


def sent(target: Target) -> list[dict[str, Any]]:
    return [body for _, body, _ in target.posts]

"""Jobs for tests, and a worker that runs them: a tag taken in, one attempt, what was recorded."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx2
import sqlalchemy as sa
from sqlalchemy.engine import Engine

from shared.domain.push import Push
from shared.domain.rules import Rule, Rules, decide
from shared.domain.rules import Target as RuleTarget
from shared.domain.webhook import Incoming
from shared.forges import PROVIDERS
from shared.ledger import deliveries
from shared.ledger.tables import attempts, payloads
from shared.ledger.tables import jobs as job_table
from shared.targets.repository_names import RepositoryNames
from tests.glitchtip import GlitchTip
from tests.target import Target
from webhook.local.sample_webhooks import SampleCommit, github_push, sha, sign_github
from worker.commits.forge_pool import Forges
from worker.commits.release_commits import Gatherer
from worker.jobs.attempt import Tools
from worker.jobs.retry_policy import RetryPolicy
from worker.jobs.runner import Runner

JSON = {"Content-Type": "application/json"}


def rules(url: str, **changes: Any) -> Rules:
    rule = Rule(name="r", repos=("*",), refs=("refs/tags/*",), targets=("main",), projects=("app",))
    return Rules((replace(rule, **changes),), {"main": RuleTarget(name="main", url=url, org="acme", token_env="T")})


def runner(
    engine: Engine, client: httpx2.Client, in_force: Rules, token: str | None = "s3cret", policy: RetryPolicy | None = None
) -> Runner:
    gatherer = Gatherer(engine, Forges(client, {}), RepositoryNames(), in_force.commits, in_force)
    return Runner(engine, Tools(client=client, rules=in_force, token=lambda _: token, gatherer=gatherer), policy)


def accept(engine: Engine, in_force: Rules, name: str = "v1.0.0", repository: str = "acme/shop") -> str:
    commit = SampleCommit("Fix the till", modified=["till.py"])
    sample = sign_github(github_push(repository=repository, ref=f"refs/tags/{name}", head=commit, after=sha("object")), "x")
    headers = {key.lower(): value for key, value in sample.headers.items()}
    hook = PROVIDERS["github"].read(Incoming(headers, sample.body))
    assert isinstance(hook.content, Push)
    with engine.begin() as connection:
        receipt = deliveries.accept(
            connection,
            deliveries.Arrival(
                provider="github",
                hook=hook,
                decision=decide(hook.content, in_force),
                headers=headers,
                body=sample.body,
                now=datetime.now(UTC),
            ),
        )
    return receipt.jobs[0]


def row(engine: Engine, job_id: str) -> Any:
    with engine.begin() as connection:
        return connection.execute(sa.select(job_table).where(job_table.c.id == job_id)).one()


def history(engine: Engine, job_id: str) -> list[Any]:
    with engine.begin() as connection:
        statement = sa.select(attempts).where(attempts.c.job_id == job_id).order_by(attempts.c.number)
        return list(connection.execute(statement))


def make_due(engine: Engine, job_id: str) -> None:
    with engine.begin() as connection:
        connection.execute(
            job_table.update().where(job_table.c.id == job_id).values(next_attempt_at=datetime.now(UTC) - timedelta(1))
        )


def expire_payloads(engine: Engine) -> None:
    with engine.begin() as connection:
        connection.execute(sa.delete(payloads))


def warned(engine: Engine, job_id: str) -> dict[str, str]:
    return {one["code"]: one["detail"] for one in row(engine, job_id).warnings or []}


class Run:
    """One worker, its jobs, and the rule whose fields are given."""

    def __init__(self, engine: Engine, http: httpx2.Client, target: Target | GlitchTip, **rule: Any) -> None:
        self.engine = engine
        self.rules = rules(target.url, **rule)
        self.worker = runner(engine, http, self.rules)

    def accept(self, name: str = "v1.0.0", repository: str = "acme/shop") -> str:
        return accept(self.engine, self.rules, name, repository)

    def go(self, job_id: str, attempts: int = 1) -> Any:
        for _ in range(attempts):
            make_due(self.engine, job_id)
            self.worker.run([job_id])
        return row(self.engine, job_id)

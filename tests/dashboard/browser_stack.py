"""The app behind a real server, for a browser."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from datetime import UTC, datetime

import sqlalchemy as sa
from sqlalchemy.engine import Engine

from shared.config.settings import ForgeSettings
from shared.domain.rules import Rules
from shared.infra.http_client import make_client
from shared.ledger import target_states
from shared.ledger.tables import jobs as job_table
from shared.reconcile import Comparer
from shared.targets.repository_names import RepositoryNames
from tests.builders import settings
from tests.forge import Forge
from tests.target import Target
from worker.commits.forge_pool import Forges
from worker.commits.release_commits import Gatherer
from worker.jobs.attempt import Tools
from worker.jobs.runner import Runner
from worker.sweeper.reconcile_schedule import Timer
from worker.sweeper.reconciler import Comparing


@dataclass(frozen=True, slots=True)
class Stack:
    url: str
    engine: Engine
    rules: Rules
    target: Target

    def resume(self) -> None:
        """Let the target take releases again."""
        with self.engine.begin() as connection:
            target_states.resume(connection, "main", now=datetime.now(UTC))

    def compare(self, forge: Forge) -> None:
        """What the sweeper does with a comparison that someone asked for."""
        stopping = threading.Event()
        with make_client() as client:
            known = settings(
                forges={"github": ForgeSettings(forge.url, "t", is_named=True)}, environ={"SENTRY_AUTH_TOKEN": "t", "T": "t"}
            )
            comparer = Comparer(known, self.rules, self.engine, client, stopping)
            while Comparing(self.engine, comparer, Timer(self.engine, self.rules.reconcile), stopping).step():
                pass

    def work(self) -> None:
        """What the worker does when it is knocked for everything that waits."""
        with make_client() as client:
            gatherer = Gatherer(self.engine, Forges(client, {}), RepositoryNames(), self.rules.commits)
            tools = Tools(client=client, rules=self.rules, token=lambda _: "t", gatherer=gatherer)
            for _ in range(3):  # a partial release whose commits came meanwhile is queued once more as it ends
                with self.engine.begin() as connection:
                    ids = list(connection.execute(sa.select(job_table.c.id).where(job_table.c.status == "queued")).scalars())
                Runner(self.engine, tools).run(ids)

"""Asks about a token that a forge refuses once a minute, and completes what went out partial when it works again.

In a thread of its own, since a forge may take its time. Several sweepers share the work: each question is asked by one.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

import httpx2
from sqlalchemy.engine import Engine

from shared.config.settings import ForgeSettings
from shared.domain.push import Repository
from shared.errors import PermanentError, TransientError
from shared.forge_access import REFUSED_AGAIN, ForgeAccesses, note, wake_partial
from shared.forges.errors import RateLimited, Refused
from shared.forges.forge import Forge
from shared.forges.repository_key import read_repository
from shared.infra import logs
from shared.infra.database import reading
from shared.infra.http_client import Deadline
from shared.infra.outages import Outage
from shared.ledger import forge_limits
from shared.ledger.forge_limits import Hold

LOOK_EVERY = timedelta(seconds=2)
_ASK_SECONDS = 20.0
_MOST = 20  # questions a look
_SELDOM = timedelta(hours=1)  # a repository that a token may not read is asked about less and less often, down to this

logger = logs.get(__name__)


class RefusalWatch:
    """`step` asks what is due; `run` does so until `stopping` is set."""

    def __init__(
        self,
        engine: Engine,
        client: httpx2.Client,
        settings: Mapping[str, ForgeSettings],
        stopping: threading.Event | None = None,
    ) -> None:
        self._engine = engine
        self._settings = settings
        self._accesses = ForgeAccesses(client, settings)
        self._stopping = stopping or threading.Event()

    def run(self) -> None:
        outage = Outage("refusals")
        while not self._stopping.wait(LOOK_EVERY.total_seconds()):
            try:
                self.step(datetime.now(UTC))
            except Exception as problem:  # the database is away for a moment, or a fault of ours: the next look tries again
                outage.failed(problem)
            else:
                outage.worked()

    def step(self, now: datetime) -> None:
        with reading(self._engine).begin() as connection:
            found = forge_limits.refusals(connection, limit=_MOST)
        for refusal in found:
            if not self._stopping.is_set():
                self._look(refusal, now)

    def _look(self, refusal: Hold, now: datetime) -> None:
        repository = read_repository(str(refusal.repository_key))
        settings = self._settings.get(repository.provider)
        forge = self._accesses.open(repository.provider)
        if forge is None or settings is None or not settings.is_named:
            self._end(refusal, repository, forge)  # nobody uses this API, or a token with it, any longer
            return
        is_in_use = refusal.scope in (forge.scope, forge.scope_of(repository.full_name))
        if is_in_use and refusal.until > now:
            return
        with self._engine.begin() as connection:
            is_ours = forge_limits.ask_again(connection, refusal, until=now + _pause(refusal, forge, now))
        if is_ours and self._has_ended(refusal, forge, repository, now):
            self._end(refusal, repository, forge)

    def _has_ended(self, refusal: Hold, forge: Forge, repository: Repository, now: datetime) -> bool:
        try:
            forge.check(repository.full_name, Deadline(_ASK_SECONDS, self._stopping))
        except (Refused, RateLimited) as problem:
            # A limit counts the calls of a token, so it is known; a refusal of another scope means that another token is in
            # use, or that the token works and may not read this repository.
            if problem.scope != refusal.scope or isinstance(problem, RateLimited):
                note(self._engine, problem, repository, now)
                return True
            return False
        except (TransientError, PermanentError):
            return False
        return True

    def _end(self, refusal: Hold, repository: Repository, forge: Forge | None) -> None:
        is_of_one = forge is not None and refusal.scope == forge.scope_of(repository.full_name)
        with self._engine.begin() as connection:
            forge_limits.release(connection, refusal.scope)
        woken = wake_partial(self._engine, provider=repository.provider, repository=repository.full_name if is_of_one else None)
        logger.info("forge.refusal_ended", repository=repository.key, jobs=woken)


def _pause(refusal: Hold, forge: Forge, now: datetime) -> timedelta:
    age = now - (refusal.since or now)
    return REFUSED_AGAIN if refusal.scope == forge.scope else min(max(age, REFUSED_AGAIN), _SELDOM)

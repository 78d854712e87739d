"""How a process reaches the forges: the tokens in use, and the rate limits and refusals that all processes keep to.

A limit or a refusal that is in force is not tried, a new one is noted.
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
from shared.forges import PROVIDERS
from shared.forges.errors import RateLimited, Refused
from shared.forges.forge import Forge, ForgeAccess
from shared.infra import logs
from shared.infra.database import reading
from shared.ledger import forge_limits, partial_jobs

# A release must be whole within the minute after a token works again, its sending included.
REFUSED_AGAIN = timedelta(seconds=55)


class ForgeAccesses:
    """One access for each provider, made anew when the file of its token holds another one. Thread-safe."""

    def __init__(self, client: httpx2.Client, settings: Mapping[str, ForgeSettings]) -> None:
        self._client = client
        self._settings = settings
        self._lock = threading.Lock()
        self._access: dict[str, ForgeAccess] = {}

    def open(self, provider: str) -> Forge | None:
        """The forge for one job, None where its API is switched off."""
        if provider not in self._settings:
            return None
        return PROVIDERS[provider].open_forge(self._find(self._settings[provider], provider))

    def _find(self, settings: ForgeSettings, provider: str) -> ForgeAccess:
        token = settings.current_token()
        with self._lock:
            known = self._access.get(provider)
            if known is None or known.token != token:
                logs.hide([token] if token else [])
                known = ForgeAccess(client=self._client, base_url=settings.url, token=token)
                self._access[provider] = known
            return known


def respect(engine: Engine, forge: Forge, repository: Repository, now: datetime, asked_at: datetime | None = None) -> None:
    """Raises RateLimited or Refused where one is in force for this token, or for this repository with it.

    `asked_at`: a person wanted an answer then, so that a refusal from before is asked about once more.
    """
    with reading(engine).begin() as connection:
        kept = forge_limits.held(connection, (forge.scope, forge.scope_of(repository.full_name)), now)
    if kept is None or (kept.is_refusal and asked_at is not None and kept.until - REFUSED_AGAIN < asked_at):
        return
    if kept.is_refusal:
        raise Refused(kept.detail, scope=kept.scope, status=401)
    raise RateLimited(kept.detail, scope=kept.scope, until=kept.until, now=now, status=429)


def note(engine: Engine, problem: TransientError | PermanentError, repository: Repository, now: datetime) -> None:
    """Write a rate limit or a refusal down; nothing for another problem."""
    if not isinstance(problem, RateLimited | Refused):
        return
    with engine.begin() as connection:
        if isinstance(problem, RateLimited):
            forge_limits.hold(connection, problem.scope, problem.until, str(problem))
        else:
            forge_limits.refuse(
                connection,
                problem.scope,
                repository_key=repository.key,
                detail=str(problem),
                until=now + REFUSED_AGAIN,
                now=now,
            )


def wake_partial(engine: Engine, *, provider: str | None = None, repository: str | None = None) -> int:
    """Let every release that waits for the rest of its commits be completed now: what kept the forge from telling them may
    have ended. Returns how many."""
    woken = 0
    while True:
        with engine.begin() as connection:
            some = partial_jobs.wake(connection, now=datetime.now(UTC), provider=provider, repository=repository)
        woken += some
        if not some:
            return woken

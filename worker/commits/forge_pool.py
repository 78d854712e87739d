"""The forges that this process may ask: one access per provider, and a short memory of what is of no use to ask."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping

import httpx2

from shared.config.settings import ForgeSettings
from shared.domain.push import Repository
from shared.errors import PermanentError, TransientError
from shared.forge_access import ForgeAccesses
from shared.forges.errors import Missing, RateLimited
from shared.forges.forge import Forge
from worker.commits.tag_lists import TagLists

_LEFT_ALONE_SECONDS = 300.0


class Forges:
    """`open` gives the forge for one job, None when it is switched off, or nobody named it and it was of no use lately."""

    def __init__(self, client: httpx2.Client, settings: Mapping[str, ForgeSettings]) -> None:
        self._settings = settings
        self._accesses = ForgeAccesses(client, settings)
        self.tag_lists = TagLists()
        self._lock = threading.Lock()
        self._useless: dict[str, float] = {}  # provider, or the key of a repository -> since when

    def open(self, repository: Repository) -> Forge | None:
        if self._is_left_alone(repository.provider) or self._is_left_alone(repository.key):
            return None
        return self._accesses.open(repository.provider)

    def is_off(self, provider: str) -> bool:
        """Whether the API of this forge is switched off."""
        return provider not in self._settings

    def _is_left_alone(self, key: str) -> bool:
        with self._lock:
            return time.monotonic() - self._useless.get(key, float("-inf")) < _LEFT_ALONE_SECONDS

    def is_named(self, provider: str) -> bool:
        """Whether someone configured this forge, so that waiting for it makes sense."""
        return provider in self._settings and self._settings[provider].is_named

    def leave_alone(self, repository: Repository, problem: TransientError | PermanentError) -> None:
        """A forge that nobody named does not answer, or hides this repository: not every job shall find that out anew.

        A limit ends by itself, and a commit that is missing may still come.
        """
        if isinstance(problem, RateLimited | Missing):
            return
        now = time.monotonic()
        key = repository.key if isinstance(problem, PermanentError) else repository.provider
        with self._lock:
            self._useless = {name: since for name, since in self._useless.items() if now - since < _LEFT_ALONE_SECONDS}
            self._useless[key] = now

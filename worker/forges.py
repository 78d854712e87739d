"""The forges that this process may ask: one access per provider, and a short memory of those that cannot be reached."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping

import httpx2

from shared.providers import PROVIDERS
from shared.providers.forge import Forge, ForgeAccess
from shared.settings import ForgeSettings

_LEFT_ALONE_SECONDS = 300.0


class Forges:
    """`open` gives the forge for one job, None when it is switched off, or nobody named it and it did not answer lately."""

    def __init__(self, client: httpx2.Client, settings: Mapping[str, ForgeSettings]) -> None:
        self._settings = settings
        self._access = {
            name: ForgeAccess(client=client, base_url=forge.url, token=forge.token) for name, forge in settings.items()
        }
        self._lock = threading.Lock()
        self._unreachable: dict[str, float] = {}

    def open(self, provider: str) -> Forge | None:
        access = self._access.get(provider)
        with self._lock:
            is_left_alone = time.monotonic() - self._unreachable.get(provider, float("-inf")) < _LEFT_ALONE_SECONDS
        return None if access is None or is_left_alone else PROVIDERS[provider].open_forge(access)

    def is_named(self, provider: str) -> bool:
        """Whether someone configured this forge, so that waiting for it makes sense."""
        return provider in self._settings and self._settings[provider].is_named

    def leave_alone(self, provider: str) -> None:
        """A forge that nobody named did not answer: not every job shall find that out anew."""
        with self._lock:
            self._unreachable[provider] = time.monotonic()

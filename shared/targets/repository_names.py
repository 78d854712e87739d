"""What a repository is called at the target: Sentry knows GitLab's by display name, "Group / Sub / Project"."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

from shared.errors import PermanentError, TransientError

_KEPT_SECONDS = 600.0
_ASK_AGAIN_SECONDS = 60.0  # for a name that the list did not have: the repository may have been added just now


@dataclass(frozen=True, slots=True)
class KnownRepository:
    """One entry of the target's list of repositories. `is_linked`: to an integration, None where the list does not say it."""

    name: str
    url: str | None
    is_linked: bool | None = None


def match_repository(full_name: str, known: Sequence[KnownRepository]) -> str | None:
    """The target's name for `owner/name`: the same, the same in display form, or the one whose address ends with it."""
    for entry in known:
        if entry.name == full_name:
            return entry.name
    wanted = full_name.lower()
    for entry in known:
        if "/".join(part.strip() for part in entry.name.split("/")).lower() == wanted:
            return entry.name
    for entry in known:
        if entry.url and urlsplit(entry.url).path.strip("/").removesuffix(".git").lower() == wanted:
            return entry.name
    return None


class RepositoryNames:
    """Each target's list, kept for ten minutes. Where it cannot be read, names are sent as the provider spells them."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._lists: dict[str, tuple[float, Sequence[KnownRepository] | None]] = {}

    def find(
        self,
        target: str,
        full_name: str,
        configured: Mapping[str, str],
        key: str,
        fetch: Callable[[], Sequence[KnownRepository]],
    ) -> tuple[str, bool | None]:
        """(name to send, whether the target knows it; None: its list cannot be read)."""
        if (name := configured.get(key.lower())) is not None:
            return name, True
        known = self._list(target, fetch, _KEPT_SECONDS)
        if known is None:
            return full_name, None
        if (name := match_repository(full_name, known)) is None:
            known = self._list(target, fetch, _ASK_AGAIN_SECONDS) or ()
            name = match_repository(full_name, known)
        return (name, True) if name is not None else (full_name, False)

    def is_linked(self, target: str, name: str, fetch: Callable[[], Sequence[KnownRepository]]) -> bool | None:
        """Whether an integration stands behind the repository of this name at the target, None where that is not known."""
        known = self._list(target, fetch, _KEPT_SECONDS) or ()
        return next((entry.is_linked for entry in known if entry.name == name), None)

    def _list(
        self, target: str, fetch: Callable[[], Sequence[KnownRepository]], max_age: float
    ) -> Sequence[KnownRepository] | None:
        with self._lock:
            read_at, known = self._lists.get(target, (float("-inf"), None))
        if time.monotonic() - read_at < max_age:
            return known
        try:
            known = fetch()
        except (TransientError, PermanentError):
            known = None  # a token that may not list repositories can make releases all the same
        with self._lock:
            self._lists[target] = (time.monotonic(), known)
        return known

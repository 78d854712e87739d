"""How people name a repository: `github:acme/web`."""

from __future__ import annotations

from shared.domain.names import is_full_name
from shared.domain.push import Repository
from shared.errors import BadParameter
from shared.forges import PROVIDERS


def read_repository(text: str) -> Repository:
    """`github:acme/web` as a value. Raises BadParameter."""
    provider, _, name = text.partition(":")
    if provider not in PROVIDERS or not is_full_name(name):
        raise BadParameter(f"REPO must be provider:full name, such as github:acme/web, not {text[:200]!r}")
    return Repository(provider, name)

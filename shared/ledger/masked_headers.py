"""The headers of a webhook as they are stored: bounded and without secrets. Touches no database."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache

from shared.domain.names import clean

_LONGEST_HEADER = 1_000
_MOST_HEADERS = 64
_SECRET_WORDS = (
    "token",
    "secret",
    "signature",
    "auth",
    "cookie",
    "password",
    "credential",
    "key",
    "jwt",
    "assertion",
    "oidc",
    "session",
)
_NO_SECRETS = frozenset({"idempotency-key"})


def mask_headers(headers: Mapping[str, str]) -> dict[str, str]:
    """Headers fit to be stored and shown: bounded, and every value that may be a secret replaced."""
    kept: dict[str, str] = {}
    for name, value in list(headers.items())[:_MOST_HEADERS]:
        kept[name[:200]] = "***" if _may_be_secret(name) else clean(value[:_LONGEST_HEADER])
    return kept


@lru_cache(maxsize=1_000)
def _may_be_secret(header: str) -> bool:
    return header not in _NO_SECRETS and any(word in header for word in _SECRET_WORDS)

"""Which bodies of webhooks are large: how they are read is decided by this alone."""

from __future__ import annotations

LARGE = 1024 * 1024


def is_large(body: bytes) -> bool:
    return len(body) > LARGE

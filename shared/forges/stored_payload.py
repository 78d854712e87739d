"""The one way to read a stored webhook again."""

from __future__ import annotations

from collections.abc import Mapping

from shared.domain.push import Push
from shared.domain.webhook import Incoming
from shared.errors import UnknownProvider
from shared.forges import PROVIDERS


def read_stored_push(provider: str, headers: Mapping[str, str], body: bytes) -> Push | None:
    """The push of a webhook that was verified when it came; None where it was another event.

    Raises Rejected: the provider is no longer known, or an older program stored what this one cannot read.
    """
    if provider not in PROVIDERS:
        raise UnknownProvider(f"the provider {provider!r} is not known")
    content = PROVIDERS[provider].read(Incoming(headers, body)).content
    return content if isinstance(content, Push) else None

"""What a provider brings, as the rest of the product sees it. Its forge client is loaded only when it is opened.

The list of providers: `shared/forges/__init__.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Protocol

from shared.domain.webhook import Hook, Incoming

if TYPE_CHECKING:
    from shared.forges.forge import Forge, ForgeAccess


class Reader(Protocol):
    def __call__(self, incoming: Incoming, with_commits: bool = True) -> Hook: ...


@dataclass(frozen=True, slots=True)
class Provider:
    """A provider as plain functions.

    `verify(incoming, secrets, now)` gives those of the active secrets that vouch for the request; raises BadSignature when
    none does. Every secret is tried, however early one fits.
    `read(incoming, with_commits=True)` turns a verified request into a Hook; raises BadPayload, which names the header or
    field. Without the commits a push has none of them: they are only checked, and the same is refused.
    `check_secret(secret)` is one sentence of fault about a configured secret, or None.
    `event_header` and `id_header` name the event and the delivery, in lower case; `kept_headers` are all that are stored: what
    is read again later, and what tells hooks apart, never a proof. `events` are the words that people use for
    an event that the header spells otherwise. `guess_event(body)` is the event's word when nobody said it, None where the body
    does not tell. `proofs` are the ways of showing who sends, as OpenAPI's security schemes.
    `media_types` are the content types it sends. `hint` tells a person how to set the hook up; `hook_form` is each field of the
    provider's own form and what to put there, with `{url}` and `{secret}` for ours.
    `is_body_unique`: a signed body is one event's, so that the same body under another id is the same event sent again.
    `open_forge(access)` is its API, to be opened anew for each job: it counts that job's calls.
    """

    name: str
    verify: Callable[[Incoming, Sequence[str], datetime], tuple[str, ...]]
    read: Reader
    check_secret: Callable[[str], str | None]
    media_types: tuple[str, ...]
    event_header: str
    id_header: str
    kept_headers: tuple[str, ...]
    proofs: Mapping[str, Mapping[str, str]]
    hint: str
    hook_form: tuple[tuple[str, str], ...]
    open_forge: Callable[[ForgeAccess], Forge]
    events: Mapping[str, str] = field(default_factory=dict)
    guess_event: Callable[[bytes], str | None] = lambda _: "push"
    is_body_unique: bool = False

    def headers_to_keep(self, headers: Mapping[str, str]) -> dict[str, str]:
        """Those of a request that are stored, however many others came with them."""
        return {name: headers[name] for name in self.kept_headers if name in headers}


def proof(header: str, description: str) -> dict[str, str]:
    """A security scheme of OpenAPI: something that a header holds."""
    return {"type": "apiKey", "in": "header", "name": header, "description": description}

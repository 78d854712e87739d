"""What the door hands to a provider and gets back. Pure."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

from shared.domain.push import Ignored, Push
from shared.errors import BadPayload

_DELIVERY_ID = re.compile(r"[\x21-\x7e]{1,200}")


class Incoming(NamedTuple):
    """One HTTP request: header names in lower case, values as WSGI gives them (bytes read as latin-1), the raw body."""

    headers: Mapping[str, str]
    body: bytes

    def header_bytes(self, name: str) -> bytes | None:
        """The header's value as it stood on the wire, for comparisons."""
        value = self.headers.get(name)
        return None if value is None else value.encode("latin-1", "replace")


@dataclass(frozen=True, slots=True, kw_only=True)
class Hook:
    """A verified request, read: which event it was, its delivery id, and what it says.

    `is_id_derived`: the provider sent no id, so that it is a digest of what happened, and is the same when it happens again.

    `scope` is set where several secrets speak for several repositories: an id then counts within it alone, so that nobody
    can use up the ids of another's deliveries.
    """

    event: str
    delivery_id: str
    content: Push | Ignored
    scope: str = ""
    is_id_derived: bool = False

    @property
    def dedupe_key(self) -> str:
        """What a delivery is unique by at its provider; at most 200 characters."""
        if not self.scope:
            return self.delivery_id
        return hashlib.sha256(f"{self.scope}\n{self.delivery_id}".encode()).hexdigest()


def check_delivery_id(value: str, header: str) -> str:
    """A delivery id names a row and stands in logs and URLs: 1-200 visible ASCII characters, else BadPayload."""
    if not _DELIVERY_ID.fullmatch(value):
        raise BadPayload(f"{header}: must be 1 to 200 visible ASCII characters")
    return value


def media_type(headers: Mapping[str, str]) -> str:
    return headers.get("content-type", "").partition(";")[0].strip().lower()

"""What an organization token of Sentry (`sntrys_...`) says of itself: its organization and its server. Pure."""

from __future__ import annotations

import base64
import binascii
import json
from dataclasses import dataclass
from urllib.parse import urlsplit

_PREFIX = "sntrys_"
_LONGEST = 2_000


@dataclass(frozen=True, slots=True)
class OrgToken:
    """`urls`: the server's own address first, then that of its region; empty where the server had none configured."""

    org: str
    urls: tuple[str, ...]

    def contradiction(self, org: str | None, url: str | None) -> str | None:
        """What differs from the token, as the rest of a sentence that begins with the token's variable. None: nothing."""
        if org is not None and org != self.org:
            return f"is an organization token of {self.org!r}, not of {org!r}"
        if url is not None and self.urls and _place(url) not in {_place(own) for own in self.urls}:
            return f"is an organization token of {self.urls[0]}, not of {url}"
        return None


def read_org_token(token: str | None) -> OrgToken | None:
    """None for every other token, and for one whose middle part cannot be read: it may still be good."""
    if token is None or not token.startswith(_PREFIX) or len(token) > _LONGEST:
        return None
    middle = token.removeprefix(_PREFIX).rpartition("_")[0]
    try:
        found = json.loads(base64.b64decode(middle + "=" * (-len(middle) % 4), validate=True))
    except (binascii.Error, ValueError, RecursionError):
        return None
    if not isinstance(found, dict) or not isinstance(org := found.get("org"), str) or not org:
        return None
    urls = [found.get("url"), found.get("region_url")]
    return OrgToken(org, tuple(url.rstrip("/") for url in urls if isinstance(url, str) and _is_http(url)))


def _is_http(url: str) -> bool:
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError:
        return False
    return parts.scheme in ("http", "https") and bool(parts.hostname) and not (parts.query or parts.fragment or parts.username)


def _place(url: str) -> tuple[str, str, int, str]:
    parts = urlsplit(url)
    return parts.scheme, parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80), parts.path.rstrip("/")

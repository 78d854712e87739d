"""Who may look at the pages. On this machine everyone who can reach them; from elsewhere whoever signs in.

A visitor from this machine, at an address of this machine and through no proxy, sees every organization: who can do that
can read the database file too. Anyone else gives a token or key as user name, with an empty password, and sees its own.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.engine import Connection

from releases.errors import Refused
from releases.tenancy import authentication
from releases.tenancy.authentication import Caller
from releases.tenancy.credentials import READ
from shared.config.settings import Settings
from shared.errors import SettingsError
from shared.infra.network import is_loopback

SETTING = "RELEASES_PAGES"
_WORDS = ("local", "sign-in")
_PROXY_HEADERS = ("forwarded", "via", "x-real-ip", "true-client-ip")
_PROXY_FAMILIES = ("x-forwarded-", "cf-")  # of reverse proxies, and of Cloudflare, whose tunnel ends on this machine


@dataclass(frozen=True, slots=True)
class Visitor:
    """`caller` None: on this machine, sees everything."""

    caller: Caller | None

    def may_enter(self, organization_id: int) -> bool:
        return self.caller is None or self.caller.organization_id == organization_id

    @property
    def projects(self) -> frozenset[int] | None:
        return None if self.caller is None else self.caller.projects


def read_setting(settings: Settings) -> bool:
    """Whether this machine's own visitors see the pages without signing in. Raises SettingsError."""
    word = settings.environ.get(SETTING, "local")
    if word not in _WORDS:
        raise SettingsError([f"{SETTING} must be one of {', '.join(_WORDS)}, not {word!r}"])
    return word == "local"


@dataclass(frozen=True, slots=True, kw_only=True)
class Approach:
    """How a request reached the server."""

    remote: str
    host: str
    protocol: str
    headers: Mapping[str, str]

    def is_local(self) -> bool:
        """Proxies announce themselves by a header, or by HTTP/1.0, which no browser speaks; one that does neither needs
        RELEASES_PAGES=sign-in."""
        if self.protocol == "HTTP/1.0" or any(map(_is_of_proxy, self.headers)):
            return False
        return is_loopback(self.remote) and _is_own_name(self.host)


def recognise(connection: Connection, approach: Approach, now: datetime, *, trusts_local: bool) -> Visitor | None:
    """The visitor, None for one who has to sign in."""
    given = approach.headers.get("Authorization")
    if given is not None:
        return _signed_in(connection, given, now)
    return Visitor(None) if trusts_local and approach.is_local() else None


def _signed_in(connection: Connection, header: str, now: datetime) -> Visitor | None:
    for attempt in (header, _as_token(header)):
        try:
            caller = authentication.authenticate(connection, attempt, now)
        except Refused:
            continue
        return Visitor(caller) if caller.has_any(READ) else None
    return None


def _as_token(header: str) -> str:
    """A browser can only send Basic: a token in the place of the user name counts as one."""
    try:
        name, _, password = base64.b64decode(header.partition(" ")[2], validate=True).decode("utf-8").partition(":")
    except (binascii.Error, UnicodeDecodeError, ValueError):
        return ""
    return f"Bearer {name}" if name and not password and " " not in name else ""


def _is_of_proxy(header: str) -> bool:
    name = header.lower()
    return name in _PROXY_HEADERS or name.startswith(_PROXY_FAMILIES)


def _is_own_name(host: str) -> bool:
    """Whether the Host header names this machine; a foreign page's name that was pointed here does not."""
    name = host.rpartition(":")[0] if not host.endswith("]") and ":" in host else host
    return name == "localhost" or is_loopback(name.strip("[]"))

"""Who may look at the pages. On this machine everyone who can reach them; from elsewhere whoever signs in.

A visitor from this machine, at an address of this machine and through no proxy, sees every organization: who can do that
can read the database file too. Anyone else gives a token or key as user name, with an empty password, and sees its own.
"""

from __future__ import annotations

import base64
import binascii
import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.engine import Connection

from releases import access
from releases.access import Caller
from releases.credentials import READ
from releases.refusals import Refused

_PROXY_HEADERS = ("Forwarded", "X-Forwarded-For", "X-Forwarded-Host", "X-Real-Ip", "Via")


@dataclass(frozen=True, slots=True)
class Visitor:
    """`caller` None: on this machine, sees everything."""

    caller: Caller | None

    def may_enter(self, organization_id: int) -> bool:
        return self.caller is None or self.caller.organization_id == organization_id

    @property
    def projects(self) -> frozenset[int] | None:
        return None if self.caller is None else self.caller.projects


def recognise(connection: Connection, remote: str, host: str, headers: Mapping[str, str], now: datetime) -> Visitor | None:
    """The visitor, None for one who has to sign in."""
    given = headers.get("Authorization")
    if given is not None:
        return _signed_in(connection, given, now)
    is_local = _is_loopback(remote) and _is_own_name(host) and not any(name in headers for name in _PROXY_HEADERS)
    return Visitor(None) if is_local else None


def _signed_in(connection: Connection, header: str, now: datetime) -> Visitor | None:
    for attempt in (header, _as_token(header)):
        try:
            caller = access.authenticate(connection, attempt, now)
        except Refused:
            continue
        return Visitor(caller) if not caller.scopes.isdisjoint(READ) else None
    return None


def _as_token(header: str) -> str:
    """A browser can only send Basic: a token in the place of the user name counts as one."""
    try:
        name, _, password = base64.b64decode(header.partition(" ")[2], validate=True).decode("utf-8").partition(":")
    except (binascii.Error, UnicodeDecodeError, ValueError):
        return ""
    return f"Bearer {name}" if name and not password and " " not in name else ""


def _is_loopback(address: str) -> bool:
    try:
        return ipaddress.ip_address(address).is_loopback
    except ValueError:
        return False


def _is_own_name(host: str) -> bool:
    """Whether the Host header names this machine; a foreign page's name that was pointed here does not."""
    name = host.rpartition(":")[0] if not host.endswith("]") and ":" in host else host
    return name == "localhost" or _is_loopback(name.strip("[]"))

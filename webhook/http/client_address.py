"""Whose request it is, by address: proxies that are trusted to say it for others, and what counts as one sender."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import Any

from shared.infra.network import is_within, parse_address

Network = IPv4Network | IPv6Network
WsgiApp = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]

_MOST_HOPS = 20
_ONE_SENDER = 64  # bits: the smallest network that one IPv6 subscriber is given


def group(address: str | None) -> str:
    """What is counted as one sender: an IPv4 address, an IPv6 /64, "-" for what is no address."""
    parsed = parse_address(address or "")
    if parsed is None:
        return "-"
    return str(parsed) if parsed.version == 4 else str(ip_network((parsed, _ONE_SENDER), strict=False))


class TrustedProxies:
    """Wraps a WSGI app: where the peer is a trusted proxy, REMOTE_ADDR becomes the address that it names."""

    def __init__(self, app: WsgiApp, networks: Sequence[Network]) -> None:
        self._app = app
        self._networks = tuple(networks)

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        environ["REMOTE_ADDR"] = origin(environ.get("REMOTE_ADDR", ""), environ.get("HTTP_X_FORWARDED_FOR", ""), self._networks)
        return self._app(environ, start_response)


def sender_of(networks: Sequence[Network]) -> Callable[[str, Mapping[str, str]], str]:
    """The same for whoever has no environ: (peer's address, headers by name in lower case) -> the sender's address."""
    return lambda peer, headers: origin(peer, headers.get("x-forwarded-for", ""), networks) if networks else peer


def origin(peer: str, forwarded: str, trusted: Sequence[Network]) -> str:
    """The nearest address that no trusted proxy has; the last one known where the header cannot be read.

    `X-Forwarded-For` is read from its end: each trusted proxy appended whom it heard, anything further left the sender may
    have written himself.
    """
    found = peer
    for hop in reversed(forwarded.rsplit(",", _MOST_HOPS)):
        if not is_within(found, trusted) or (parsed := parse_address(hop)) is None:
            return found
        found = str(parsed)
    return found

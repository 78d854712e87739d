"""This machine's addresses and ports."""

from __future__ import annotations

import errno
import ipaddress
import socket
from collections.abc import Sequence
from typing import Any


def is_loopback(address: str) -> bool:
    """Whether it is an address that only this machine can reach; a name is not."""
    try:
        return ipaddress.ip_address(address).is_loopback
    except ValueError:
        return False


def bare_host(host: str) -> str:
    """`[::1]` as it is written in URLs, without its brackets."""
    return host[1:-1] if host.startswith("[") and host.endswith("]") else host


def url_host(host: str) -> str:
    """The host as a URL on this machine holds it: one that means every address is reached by the loopback's."""
    host = {"0.0.0.0": "127.0.0.1", "::": "::1", "": "127.0.0.1"}.get(bare_host(host), bare_host(host))  # noqa: S104
    return f"[{host}]" if ":" in host else host


def address_of(host: str) -> str:
    """The address that a name such as `localhost` stands for; of several the first of IPv4. Raises OSError."""
    found = socket.getaddrinfo(bare_host(host), None, type=socket.SOCK_STREAM)
    found.sort(key=lambda each: each[0] != socket.AF_INET)
    return str(found[0][4][0])


def why_not_bound(host: str, port: int) -> str | None:
    """Why no server can listen there, as the rest of a sentence; None when one can."""
    try:
        found = socket.getaddrinfo(address_of(host), port, type=socket.SOCK_STREAM)
        family, kind, protocol, _, address = found[0]
        with socket.socket(family, kind, protocol) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
    except (OSError, UnicodeError) as problem:  # UnicodeError: no name at all, such as one with a label of 64 characters
        if isinstance(problem, OSError) and problem.errno == errno.EADDRINUSE:
            return f"port {port} is in use; stop what listens there or choose another"
        return f"{host}:{port} cannot be listened on: {getattr(problem, 'strerror', None) or problem}"
    return None


def is_within(address: str, networks: Sequence[ipaddress.IPv4Network | ipaddress.IPv6Network]) -> bool:
    """Whether it is an address of one of these networks."""
    parsed = parse_address(address)
    return parsed is not None and any(parsed in network for network in networks)


def parse_address(text: str) -> Any:
    """An address as proxies write it: with a port, in brackets, IPv4 inside IPv6. None for anything else."""
    text = text.strip()[:100]
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        parsed = ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return None
    return getattr(parsed, "ipv4_mapped", None) or parsed

"""This machine's addresses and ports."""

from __future__ import annotations

import errno
import ipaddress
import socket


def is_loopback(address: str) -> bool:
    """Whether it is an address that only this machine can reach; a name is not."""
    try:
        return ipaddress.ip_address(address).is_loopback
    except ValueError:
        return False


def why_not_bound(host: str, port: int) -> str | None:
    """Why no server can listen there, as the rest of a sentence; None when one can."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind, protocol) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
    except OSError as problem:
        if problem.errno == errno.EADDRINUSE:
            return f"port {port} is in use; stop what listens there or choose another"
        return f"{host}:{port} cannot be listened on: {problem.strerror or problem}"
    return None

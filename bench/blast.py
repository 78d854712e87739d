"""Sends prepared HTTP requests over kept-alive connections from one thread, as cheaply as Python can, and times each.

The sender shares the machine with what it measures: whatever it costs lowers every side's figure.
"""

from __future__ import annotations

import selectors
import socket
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from urllib.parse import urlsplit

_PATIENCE = 30.0


@dataclass(slots=True)
class Load:
    """`rate`: answers a second; `seconds`: of each request, sorted; `statuses`: how often each came."""

    rate: float = 0.0
    seconds: list[float] = field(default_factory=list)
    statuses: Counter[int] = field(default_factory=Counter)

    def percentile(self, share: float) -> float:
        return self.seconds[min(len(self.seconds) - 1, int(len(self.seconds) * share))]


class _Connection:
    """Kept alive where the server keeps it; opened again where it closes after each answer (gunicorn's sync workers)."""

    __slots__ = ("address", "answer", "closes", "selector", "socket", "started")

    def __init__(self, address: tuple[str, int], selector: selectors.BaseSelector) -> None:
        self.address = address
        self.selector = selector
        self.socket: socket.socket | None = None
        self.answer = b""
        self.started = 0.0
        self.closes = False

    def send(self, request: bytes) -> None:
        self.answer = b""
        self.started = time.perf_counter()
        if self.closes:
            self.close()
        if self.socket is None:
            self.socket = socket.create_connection(self.address, timeout=_PATIENCE)
            self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self.selector.register(self.socket, selectors.EVENT_READ, self)
        self.socket.sendall(request)

    def close(self) -> None:
        if self.socket is not None:
            self.selector.unregister(self.socket)
            self.socket.close()
            self.socket = None

    def receive(self) -> int | None:
        """The status once the answer is whole."""
        assert self.socket is not None
        chunk = self.socket.recv(65_536)
        if not chunk:
            raise RuntimeError(f"the server closed the connection after {self.answer[:200]!r}")
        self.answer += chunk
        head, separator, rest = self.answer.partition(b"\r\n\r\n")
        if not separator or len(rest) < _content_length(head):
            return None
        self.closes = b"connection: close" in head.lower()
        return int(head[9:12])


def _content_length(head: bytes) -> int:
    at = head.lower().find(b"content-length:")
    return int(head[at + 15 :].split(b"\r\n", 1)[0]) if at >= 0 else 0


def blast(address: str, requests: Sequence[bytes], *, connections: int, allowed: Sequence[int] = (200, 202)) -> Load:
    """Send all of them. Raises RuntimeError when an answer is not one of the allowed."""
    parts = urlsplit(address)
    load, waiting = Load(), iter(requests)
    selector = selectors.DefaultSelector()
    address_of = (parts.hostname or "", parts.port or 80)
    opened = [_Connection(address_of, selector) for _ in range(min(connections, len(requests)))]
    started = time.perf_counter()
    try:
        for connection in opened:
            connection.send(next(waiting))
        _serve(selector, waiting, load, len(requests))
    finally:
        for connection in opened:
            connection.close()
        selector.close()
    load.rate = len(requests) / (time.perf_counter() - started)
    load.seconds.sort()
    if wrong := {status: n for status, n in load.statuses.items() if status not in allowed}:
        raise RuntimeError(f"answers that were not wanted: {wrong}")
    return load


def _serve(selector: selectors.BaseSelector, waiting: Iterator[bytes], load: Load, wanted: int) -> None:
    answered = 0
    while answered < wanted:
        ready = selector.select(_PATIENCE)
        if not ready:
            raise RuntimeError(f"no answer for {_PATIENCE:.0f} s, after {answered} of {wanted}")
        for key, _ in ready:
            connection: _Connection = key.data
            status = connection.receive()
            if status is None:
                continue
            load.seconds.append(time.perf_counter() - connection.started)
            load.statuses[status] += 1
            answered += 1
            if (request := next(waiting, None)) is not None:
                connection.send(request)
            elif connection.closes:
                connection.close()

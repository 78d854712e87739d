"""HTTP by hand over one kept connection: what is sent is exactly what was made, and every answer has a time and a status."""

from __future__ import annotations

import socket
import time
from collections.abc import Sequence
from dataclasses import dataclass

PATIENCE_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class Answered:
    """`status` 0: no answer came (then `text` says how). `seconds` from the last byte sent."""

    status: int
    seconds: float
    text: bytes


class Wire:
    """One connection to a server on the loopback, opened again when it was closed."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._socket: socket.socket | None = None

    def close(self) -> None:
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def ask(self, method: str, target: bytes, headers: Sequence[tuple[bytes, bytes]], body: bytes) -> Answered:
        """One request. A kept connection that the server has closed meanwhile is opened once more."""
        request = request_bytes(method, target, headers, body)
        for is_last in (self._socket is None, True):
            before = time.monotonic()
            try:
                status, text = self._exchange(request)
            except OSError as problem:
                self.close()
                if is_last or isinstance(problem, TimeoutError):
                    return Answered(0, time.monotonic() - before, repr(problem).encode())
                continue
            if status or is_last:
                return Answered(status, time.monotonic() - before, text)
        raise AssertionError

    def _exchange(self, request: bytes) -> tuple[int, bytes]:
        if self._socket is None:
            self._socket = socket.create_connection(("127.0.0.1", self._port), PATIENCE_SECONDS)
            self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._socket.sendall(request)
        found = b""
        while b"\r\n\r\n" not in found:
            if not (chunk := self._socket.recv(65_536)):
                self.close()
                return 0, b"closed without an answer"
            found += chunk
        head, _, body = found.partition(b"\r\n\r\n")
        lines = head.lower().split(b"\r\n")
        length = next((int(line[15:]) for line in lines if line.startswith(b"content-length:")), None)
        is_over = b"connection: close" in lines
        while (length is None and is_over) or (length is not None and len(body) < length):
            if not (chunk := self._socket.recv(65_536)):
                break
            body += chunk
        if is_over:
            self.close()
        return int(head.split(b" ", 2)[1]), body


def request_bytes(method: str, target: bytes, headers: Sequence[tuple[bytes, bytes]], body: bytes) -> bytes:
    named = {name.lower() for name, _ in headers}
    lines = [method.encode() + b" " + target + b" HTTP/1.1"]
    lines += [b"Host: fuzz"] if b"host" not in named else []
    lines += [name + b": " + value for name, value in headers]
    lines += [b"Content-Length: %d" % len(body)] if b"content-length" not in named else []
    return b"\r\n".join(lines) + b"\r\n\r\n" + body

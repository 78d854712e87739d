"""Hosts that mean harm: real sockets on the loopback which keep what they were sent, and answer as scripted, byte by byte."""

from __future__ import annotations

import json
import socket
import threading
import time
import zlib
from collections.abc import Callable
from contextlib import suppress
from typing import Any

Script = Callable[[socket.socket, "Host"], None]
JSON = "Content-Type: application/json\r\n"


class Host:
    """Serves each connection's requests with `script`, one after another. `requests` are the bytes of each head and body."""

    def __init__(self, script: Script | None = None) -> None:
        self.script = script or say(200, b"{}")
        self.requests: list[bytes] = []
        self.sent = 0  # bytes of answers that went out
        self.closing = threading.Event()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        threading.Thread(target=self._accept, daemon=True).start()

    def __enter__(self) -> Host:
        return self

    def __exit__(self, *_: object) -> None:
        self.closing.set()
        self._listener.close()

    def send(self, connection: socket.socket, data: bytes) -> None:
        connection.sendall(data)
        self.sent += len(data)

    def _accept(self) -> None:
        while not self.closing.is_set():
            with suppress(OSError):
                connection, _ = self._listener.accept()
                threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        with connection, suppress(OSError):
            while (request := _read(connection)) and not self.closing.is_set():
                self.requests.append(request)
                self.script(connection, self)


def _read(connection: socket.socket) -> bytes:
    found = b""
    while b"\r\n\r\n" not in found:
        if not (chunk := connection.recv(65_536)):
            return b""
        found += chunk
    head, _, body = found.partition(b"\r\n\r\n")
    lengths = [int(line.split(b":")[1]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length:")]
    while lengths and len(body) < lengths[0]:
        chunk = connection.recv(65_536)
        body, found = body + chunk, found + chunk
    return found


def say(status: int, body: bytes, head: str = JSON) -> Script:
    """A whole answer."""
    raw = f"HTTP/1.1 {status} x\r\n{head}Content-Length: {len(body)}\r\n\r\n".encode() + body
    return lambda connection, host: host.send(connection, raw)


def say_json(value: Any, head: str = "") -> Script:
    return say(200, json.dumps(value).encode(), JSON + head)


def redirect(place: str, status: int = 302) -> Script:
    return say(status, b"", f"Location: {place}\r\n")


def flood(total: int = 10 * 1024**3, *, announced: bool = True) -> Script:
    """Ten gigabytes, announced or in chunks, as fast as they are taken."""

    def script(connection: socket.socket, host: Host) -> None:
        length = f"Content-Length: {total}\r\n" if announced else "Transfer-Encoding: chunked\r\n"
        host.send(connection, f"HTTP/1.1 200 x\r\n{JSON}{length}\r\n".encode())
        piece = b'["' + b"x" * 65_532 + b'",'
        while host.sent < total and not host.closing.is_set():
            host.send(connection, piece if announced else b"%x\r\n%b\r\n" % (len(piece), piece))

    return script


def bomb(megabytes: int = 512) -> Script:
    """Half a gigabyte of zeros that is half a megabyte on the wire."""
    packer = zlib.compressobj(9, wbits=31)
    pieces = [packer.compress(b"0" * 1024 * 1024) for _ in range(megabytes)]
    return say(200, b"".join([*pieces, packer.flush()]), JSON + "Content-Encoding: gzip\r\n")


def drip(head: bytes, endless: bytes, pause: float = 0.02) -> Script:
    """`head` at once, then `endless` again and again, a byte at a time: each of them in time, all of them never."""

    def script(connection: socket.socket, host: Host) -> None:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        host.send(connection, head)
        while not host.closing.is_set():
            for byte in endless:
                host.send(connection, bytes([byte]))
                time.sleep(pause)

    return script


def take_slowly(connection: socket.socket, host: Host) -> None:
    """Reads nothing more, and keeps the connection."""
    host.closing.wait(30)


def raw(data: bytes) -> Script:
    def script(connection: socket.socket, host: Host) -> None:
        host.send(connection, data)
        connection.shutdown(socket.SHUT_WR)

    return script


DRIPS: dict[str, Script] = {
    "the status line": drip(b"", b"H"),
    "the header": drip(b"HTTP/1.1 200 x\r\n", b"X-A: b\r\n"),
    "one endless header": drip(b"HTTP/1.1 200 x\r\nX-A: ", b"b"),
    "the body": drip(f"HTTP/1.1 200 x\r\n{JSON}Content-Length: 1000000\r\n\r\n".encode(), b" "),
    "chunks": drip(f"HTTP/1.1 200 x\r\n{JSON}Transfer-Encoding: chunked\r\n\r\n".encode(), b"1\r\n \r\n"),
    "one endless chunk header": drip(f"HTTP/1.1 200 x\r\n{JSON}Transfer-Encoding: chunked\r\n\r\n1;".encode(), b"x"),
    "interim answers": drip(b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
    "gzip that says nothing": drip(
        f"HTTP/1.1 200 x\r\n{JSON}Content-Encoding: gzip\r\nContent-Length: 1000000\r\n\r\n\x1f".encode("latin-1"), b"\x8b"
    ),
    "nothing at all": lambda _, host: take_slowly(_, host),
}

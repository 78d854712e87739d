"""A TCP proxy whose packets can vanish, as when a failover or a NAT forgets a flow: nothing is refused, nothing is answered."""

from __future__ import annotations

import select
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import unquote

from sqlalchemy.engine.url import make_url


class SilentProxy:
    """Forwards to a server until `vanish`; after `come_back` new connections work, those of before stay silent."""

    def __init__(self, server: tuple[str, int] | str) -> None:
        self._server = server  # (host, port), or the path of a socket
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listener.getsockname()[1])
        self._is_away = False
        self._peers: dict[socket.socket, socket.socket] = {}
        self._dead: set[socket.socket] = set()  # kept open, and never read again
        self._lock = threading.Lock()
        self._stopping = False
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def vanish(self) -> None:
        with self._lock:
            self._is_away = True
            self._dead.update(self._peers)
            self._peers.clear()

    def come_back(self) -> None:
        self._is_away = False

    def stop(self) -> None:
        self._stopping = True
        self._thread.join(10)
        for each in (self._listener, *self._peers, *self._dead):
            each.close()

    def _run(self) -> None:
        while not self._stopping:
            with self._lock:
                watched = [self._listener, *self._peers]
            for each in select.select(watched, [], [], 0.02)[0]:
                with self._lock:
                    if each is self._listener:
                        self._open()
                    elif each in self._peers:
                        self._forward(each)

    def _open(self) -> None:
        outer, _ = self._listener.accept()
        if self._is_away:
            self._dead.add(outer)
            return
        if isinstance(self._server, str):
            inner = socket.socket(socket.AF_UNIX)
            inner.connect(self._server)
        else:
            inner = socket.create_connection(self._server)
        self._peers |= {outer: inner, inner: outer}

    def _forward(self, source: socket.socket) -> None:
        try:
            data = source.recv(65536)
            self._peers[source].sendall(data)
        except OSError:
            data = b""
        if not data:
            target = self._peers.pop(source)
            self._peers.pop(target, None)
            source.close()
            target.close()


@contextmanager
def before(url: str) -> Iterator[tuple[SilentProxy, str]]:
    """A proxy before the PostgreSQL at `url`, and the URL through it."""
    parsed = make_url(url)
    folder = unquote(str(parsed.query.get("host", "")))
    port = parsed.port or int(str(parsed.query.get("port", 5432)))
    proxy = SilentProxy(f"{folder}/.s.PGSQL.{port}" if folder.startswith("/") else (folder or parsed.host or "127.0.0.1", port))
    try:
        through = parsed.set(host="127.0.0.1", port=proxy.port).difference_update_query(["host", "port"])
        yield proxy, through.render_as_string(hide_password=False)
    finally:
        proxy.stop()

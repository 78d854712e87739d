"""The demo's fault: stands between the worker and the endpoint and answers 503 to the first POST of chosen versions."""

from __future__ import annotations

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen


class Fault:
    """A loopback HTTP server in a thread. `hits` counts the answers that were spoiled."""

    def __init__(self, port: int, upstream: str, versions: set[str]) -> None:
        self.hits = 0
        self._upstream = upstream
        self._versions = set(versions)
        fault = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                fault._forward(self, None)

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
                if fault._spoils(body):
                    _reply(self, 503, b'{"detail": "the demo spoils the first try"}', "application/json")
                else:
                    fault._forward(self, body)

            def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
                """The parts log for themselves."""

        self._server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    def _spoils(self, body: bytes) -> bool:
        version = json.loads(body).get("version")
        if version not in self._versions:
            return False
        self._versions.discard(version)
        self.hits += 1
        return True

    def _forward(self, handler: BaseHTTPRequestHandler, body: bytes | None) -> None:
        kept = {
            name: handler.headers[name] for name in ("Authorization", "Content-Type", "User-Agent") if name in handler.headers
        }
        request = Request(self._upstream + handler.path, data=body, headers=kept, method=handler.command)  # noqa: S310
        try:
            with urlopen(request, timeout=20) as answer:  # noqa: S310
                _reply(handler, answer.status, answer.read(), answer.headers.get_content_type())
        except HTTPError as answer:
            _reply(handler, answer.code, answer.read(), answer.headers.get_content_type())


def _reply(handler: BaseHTTPRequestHandler, status: int, body: bytes, content_type: str) -> None:
    handler.send_response(status)
    handler.send_header("Content-Type", content_type)
    handler.send_header("Content-Length", str(len(body)))
    handler.end_headers()
    handler.wfile.write(body)

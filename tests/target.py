"""A releases endpoint for tests of the worker: a real HTTP server that keeps what it got and answers as scripted."""

from __future__ import annotations

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Scripted = tuple[int, dict[str, str], bytes]


class Target:
    """Remembers what it was sent; `answers` come first (None: as usual), then 201 for a new version and 208."""

    def __init__(self, answers: list[Scripted | None] | None = None) -> None:
        self.posts: list[tuple[str, dict[str, Any], dict[str, str]]] = []
        self.answers = list(answers or [])
        self.deploys: list[dict[str, Any]] = []  # what a GET of a release's deploys answers
        self.never: set[str] = set()  # versions that are answered 500 for ever
        self.is_down = False  # 500 to everything
        self.get_answer: Scripted | None = None  # of every GET
        self.gets: list[str] = []
        self._lock = threading.Lock()
        self._seen: set[str] = set()
        target = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                status, headers, answer = target._answer(self.path, body, dict(self.headers))
                self.send_response(status)
                for name, value in {"Content-Type": "application/json", **headers}.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)

            def do_GET(self) -> None:
                target.gets.append(self.path)
                usual: Any = (500 if target.is_down else 200, {}, json.dumps(target.deploys).encode())
                status, headers, answer = target.get_answer or usual
                self.send_response(status)
                for name, value in {"Content-Type": "application/json", **headers}.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)

            def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()

    def _answer(self, path: str, body: dict[str, Any], headers: dict[str, str]) -> tuple[int, dict[str, str], bytes]:
        with self._lock:
            self.posts.append((path, body, headers))
            if self.is_down or body.get("version") in self.never:
                return 500, {}, b'{"detail": "Internal Error", "errorId": "e"}'
            if self.answers and (answer := self.answers.pop(0)) is not None:
                return answer
            if path.endswith("/deploys/"):
                self.deploys.append(body)
                return 201, {}, b'{"id": "1"}'
            status = 208 if body["version"] in self._seen else 201
            self._seen.add(body["version"])
            return status, {}, json.dumps({"version": body["version"]}).encode()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()

"""A releases endpoint that misbehaves by a seed: errors, limits, slowness, resets, halves. It keeps what took effect."""

from __future__ import annotations

import json
import random
import socket
import struct
import threading
import time
from collections import Counter
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import unquote

FAULTS = ("500", "502", "429", "409", "413", "slow", "reset", "reset after", "half")


class HostileTarget:
    """`share` of the POSTs meet a fault; some faults strike before the request took effect, some after it."""

    def __init__(self, seed: int, share: float) -> None:
        self.share = share
        self.releases: Counter[str] = Counter()  # version -> how often its creation was answered 201
        self.deploys: dict[str, list[dict[str, Any]]] = {}
        self.faults: Counter[str] = Counter()
        self.requests = 0
        self.slow_seconds = 0.0  # of every answer to a POST
        self.slow_lists = 0.0  # of every answer to a GET
        self.is_down = False  # everything is answered 503
        self._random = random.Random(seed)
        self._lock = threading.Lock()
        target = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                target._serve(self, body)

            def do_GET(self) -> None:
                time.sleep(target.slow_lists)
                with target._lock:
                    answer = list(target.deploys.get(_version_of(self.path), []))
                _answer(self, 503 if target.is_down else 200, answer)

            def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
                pass

        class Server(ThreadingHTTPServer):
            daemon_threads = True
            request_queue_size = 256

            def handle_error(self, request: Any, client_address: Any) -> None:
                """A client that was killed is part of the drill."""

        self._server = Server(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    def _serve(self, handler: BaseHTTPRequestHandler, body: dict[str, Any]) -> None:
        fault = self._draw()
        time.sleep(self.slow_seconds)
        if fault == "slow":
            time.sleep(1.5)
        elif fault == "reset":
            _reset(handler)
            return
        elif fault is not None and fault.isdigit():
            headers = {"Retry-After": "1"} if fault == "429" else {}
            _answer(handler, int(fault), {"detail": "the drill says no"}, headers)
            return
        status, answer = self._take(handler.path, body)
        if fault == "reset after":
            _reset(handler)
        elif fault == "half":
            _answer_half(handler, status, answer)
        else:
            _answer(handler, status, answer)

    def _draw(self) -> str | None:
        with self._lock:
            self.requests += 1
            if self.is_down:
                return "503"
            fault = self._random.choice(FAULTS) if self._random.random() < self.share else None
            self.faults[fault or "none"] += 1
            return fault

    def _take(self, path: str, body: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        with self._lock:
            if path.endswith("/deploys/"):
                self.deploys.setdefault(_version_of(path), []).append(body)
                return 201, {"id": "1"}
            version = body["version"]
            status = 208 if version in self.releases else 201
            self.releases[version] += status == 201
            return status, {"version": version}


def _version_of(path: str) -> str:
    return unquote(path.partition("/releases/")[2].partition("/")[0])


def _answer(handler: BaseHTTPRequestHandler, status: int, value: Any, headers: dict[str, str] | None = None) -> None:
    body = json.dumps(value).encode()
    handler.send_response(status)
    for name, text in {"Content-Type": "application/json", "Content-Length": str(len(body)), **(headers or {})}.items():
        handler.send_header(name, text)
    handler.end_headers()
    handler.wfile.write(body)


def _answer_half(handler: BaseHTTPRequestHandler, status: int, value: Any) -> None:
    body = json.dumps(value).encode()
    handler.send_response(status)
    handler.send_header("Content-Type", "application/json")
    handler.send_header("Content-Length", str(len(body)))
    handler.end_headers()
    handler.wfile.write(body[: len(body) // 2])
    handler.wfile.flush()
    handler.close_connection = True


def _reset(handler: BaseHTTPRequestHandler) -> None:
    """RST instead of FIN, as a crashed peer or a balancer does."""
    handler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    handler.connection.close()
    handler.close_connection = True

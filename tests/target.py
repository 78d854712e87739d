"""A releases endpoint for tests of the worker: a real HTTP server that keeps what it got and answers as scripted."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import unquote

Scripted = tuple[int, dict[str, str], bytes]


class Target:
    """Keeps what it was sent as Sentry does, and answers with it: 201 for a new version, then 208; `answers` come first
    (None: as usual)."""

    def __init__(self, answers: list[Scripted | None] | None = None) -> None:
        self.posts: list[tuple[str, dict[str, Any], dict[str, str]]] = []
        self.answers = list(answers or [])
        self.deploys: list[dict[str, Any]] = []  # what a GET of a release's deploys answers, and of any list
        self.releases: dict[str, dict[str, Any]] = {}  # by version
        self.puts: list[dict[str, Any]] = []
        self.refuses: dict[str, Scripted] = {}  # by the end of a path: what it answers there, whatever the method
        self.hides: set[str] = set()  # fields that its answers do not have
        self.never: set[str] = set()  # versions that are answered 500 for ever
        self.is_down = False  # 500 to everything
        self.get_answer: Scripted | None = None  # of every GET
        self.gets: list[str] = []
        self.on_post: Callable[[], object] | None = None  # called once, while the next POST waits for its answer
        self._lock = threading.Lock()
        target = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                called, target.on_post = target.on_post, None
                if called is not None:
                    called()
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                answering = target._put if self.command == "PUT" else target._answer
                status, headers, answer = answering(self.path, body, dict(self.headers))
                self.send_response(status)
                for name, value in {"Content-Type": "application/json", **headers}.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)

            def do_PUT(self) -> None:
                self.do_POST()

            def do_GET(self) -> None:
                target.gets.append(self.path)
                status, headers, answer = target.get_answer or target._read(self.path)
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
            if (refused := self._refused(path)) is not None:
                return refused
            if path.endswith("/deploys/"):
                self.deploys.append(body)
                return 201, {}, b'{"id": "1"}'
            status = 208 if body["version"] in self.releases else 201
            self.keep(body)
            return status, {}, self._shown(body["version"])

    def keep(self, body: dict[str, Any], created_at: str | None = None) -> None:
        """Another client's release too: a POST changes neither ref nor date of one that is there."""
        at = created_at or datetime.now(UTC).isoformat()
        new = {"version": body["version"], "ref": body.get("ref"), "dateReleased": body.get("dateReleased"), "dateCreated": at}
        release = self.releases.setdefault(body["version"], {**new, "status": "open", "commitCount": 0, "projects": []})
        known = {project["slug"] for project in release["projects"]}
        release["projects"] += [{"id": 1, "slug": slug} for slug in body["projects"] if slug not in known]
        if commits := body.get("commits"):
            newest = sorted(commits, key=lambda commit: str(commit.get("timestamp", "")), reverse=True)
            release |= {"commitCount": len(commits), "lastCommit": {"id": newest[0]["id"]}}

    def _put(self, path: str, body: dict[str, Any], headers: dict[str, str]) -> Scripted:
        self.puts.append(body)
        if (refused := self._refused(path)) is not None:
            return refused
        version = unquote(path.rstrip("/").rpartition("/")[2])
        self.releases[version] |= body
        return 200, {}, self._shown(version)

    def _read(self, path: str) -> Scripted:
        if self.is_down:
            return 500, {}, b"[]"
        if (refused := self._refused(path)) is not None:
            return refused
        parts = [unquote(part) for part in path.partition("?")[0].strip("/").split("/")[4:]]  # after api/0/organizations/acme
        if parts[:1] != ["releases"] or len(parts) == 1 or parts[2:] == ["deploys"]:
            return 200, {}, json.dumps(self.deploys).encode()
        if parts[1] not in self.releases:
            return 404, {}, b'{"detail": "The requested resource does not exist"}'
        if parts[2:] == ["commits"]:
            return 200, {}, json.dumps([{}] * self.releases[parts[1]]["commitCount"]).encode()
        return 200, {}, self._shown(parts[1])

    def _refused(self, path: str) -> Scripted | None:
        return next((answer for end, answer in self.refuses.items() if path.partition("?")[0].endswith(end)), None)

    def _shown(self, version: str) -> bytes:
        shown = {field: value for field, value in self.releases[version].items() if field not in self.hides}
        return json.dumps(shown).encode()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()

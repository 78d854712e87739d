"""The test forge: a real HTTP server over real git repositories that answers as GitHub's or GitLab's API does."""

from __future__ import annotations

import sys
import threading
import time
from collections import Counter, deque
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit

from tests.forge.github import GitHub
from tests.forge.gitlab import GitLab
from tests.forge.replies import JSON, Reply, Request, reply
from tests.forge.repository import Repository

Kind = Literal["github", "gitlab"]


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that hangs up is no fault of the forge: a line, for whoever wonders; anything else with its trace."""
        if isinstance(problem := sys.exc_info()[1], ConnectionError):
            print(f"forge: {client_address}: {problem!r}", file=sys.stderr)
        else:
            super().handle_error(request, client_address)


class Forge:
    """`url` is what GITHUB_API_URL or GITLAB_URL would say; `path` puts the API below a path, as self-hosted ones are.

    `script` comes first: each call takes one entry, None meaning "as usual". Then `rule`, which may answer any call, `hold`
    (what is answered until a time), `tokens` (None: no token is asked for, and any is good), then the repositories. `calls`
    counts by token ("" without), `unchanged` the 304s among them.
    """

    def __init__(self, kind: Kind, path: str = "") -> None:
        self.kind = kind
        self.path = path
        self.repositories: dict[str, Repository] = {}
        self.moved: dict[str, str] = {}  # old full name -> new one: answered with a 301
        self.moved_to: str | None = None  # where the 301 leads instead, for redirects that lie
        self.tokens: set[str] | None = None
        self.calls: Counter[str] = Counter()
        self.unchanged = 0
        self.requests: list[Request] = []
        self.script: deque[Reply | Callable[[Request], Reply | None] | None] = deque()
        self.rule: Callable[[Request], Reply | None] = lambda _: None
        self.delay = 0.0
        self.anonymous_cap = False  # GitLab's: compare shows 100 commits to a caller without a token
        self.refuses_ranges = False  # a GitLab that takes no A..B as ref_name
        self.compare_timeout = False
        self.graphql = True  # False: as a proxy that lets only the REST API through
        self._hold: tuple[float, Callable[[float], Reply]] | None = None
        self._lock = threading.Lock()
        self._api = GitHub(self) if kind == "github" else GitLab(self)
        self._server: ThreadingHTTPServer | None = None
        self._port = 0
        self.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._port}{self.path}"

    @property
    def total_calls(self) -> int:
        return sum(self.calls.values())

    def add(self, full_name: str, path: Path) -> Repository:
        self.repositories[full_name] = Repository(path)
        return self.repositories[full_name]

    def rename(self, old: str, new: str) -> None:
        self.repositories[new] = self.repositories.pop(old)
        self.moved[old] = new

    def hold(self, seconds: float, form: Callable[[float], Reply]) -> None:
        """For `seconds` from now every call gets `form(seconds left)`, such as `replies.used_up`."""
        self._hold = (time.time() + seconds, form)

    def forget(self) -> None:
        """Set the counters to zero."""
        self.calls.clear()
        self.requests.clear()
        self.unchanged = 0

    def start(self) -> None:
        """Listen (again, on the same port)."""
        self._server = _Server(("127.0.0.1", self._port), self._handler())
        self._port = self._server.server_address[1]
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()

    def stop(self) -> None:
        """Be unreachable: new connections are refused. Kept ones are cut at their next request."""
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()
            self._server = None

    def __enter__(self) -> Forge:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def answer(self, request: Request) -> Reply:
        with self._lock:
            self.calls[request.token or ""] += 1
            self.requests.append(request)
            scripted = self.script.popleft() if self.script else None
        ordered = scripted(request) if callable(scripted) else scripted
        ordered = ordered or self.rule(request)
        if ordered is not None:
            return ordered
        if self._hold is not None and (left := self._hold[0] - time.time()) > 0:
            return self._hold[1](left)
        if request.token is not None and self.tokens is not None and request.token not in self.tokens:
            return reply({"message": "Bad credentials" if self.kind == "github" else "401 Unauthorized"}, 401)
        found = self._api.answer(request)
        if found.status == 200 and request.headers.get("if-none-match") == found.etag:
            self.unchanged += 1
            return Reply(304, headers={"ETag": found.etag})
        return found

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        forge = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True
            wbufsize = -1

            def do_GET(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
                if forge._server is None:
                    self.close_connection = True
                    return
                time.sleep(forge.delay)
                self._send(forge.answer(self._request(body)))

            do_POST = do_GET  # noqa: N815

            def _request(self, body: bytes = b"") -> Request:
                headers = {name.lower(): value for name, value in self.headers.items()}
                bearer = headers.get("authorization", "").removeprefix("Bearer ") or None
                token = bearer if forge.kind == "github" else headers.get("private-token")
                path = urlsplit(self.path).path.removeprefix(forge.path)
                return Request(self.path, tuple(path.strip("/").split("/")), headers, token, body)

            def _send(self, found: Reply) -> None:
                self.send_response(found.status)
                headers = {"Content-Type": JSON, **found.headers}
                if found.status == 200:
                    headers.setdefault("ETag", found.etag)
                for name, value in headers.items():
                    self.send_header(name, value)
                if found.status != 304:
                    self.send_header("Content-Length", str(len(found.body)))
                self.end_headers()
                self.wfile.write(found.body if found.cut is None else found.body[: found.cut])
                self.wfile.flush()
                if found.cut is not None:
                    self.close_connection = True

            def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
                pass

            def log_error(self, format: str, *args: Any) -> None:  # noqa: A002
                print(f"forge: {format % args}", file=sys.stderr)

        return Handler

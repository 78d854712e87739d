"""A server that answers as GlitchTip 5 does, over real HTTP.

What differs from Sentry: a second POST of a version is 500 (until 6.1.3), every other one 201; unknown projects are dropped
without a word; commits are ignored; `per_page` too (fifty to a page), and cursors are base64; deploys are no route of the API:
a POST meets Django's CSRF page and a GET its 404 page; an unknown token is 403 "CSRF check Failed".
"""

from __future__ import annotations

import base64
import json
import re
import threading
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, quote, unquote, urlsplit

PAGE = 50
TOKEN = "s3cret"
CSRF_PAGE = (
    b"<!DOCTYPE html><html><head><title>403 Forbidden</title></head><body><p>CSRF verification failed.</p></body></html>"
)
NOT_FOUND_PAGE = b"<!doctype html><html><head><title>Not Found</title></head><body><h1>Not Found</h1></body></html>"

Reply = tuple[int, bytes, dict[str, str]]


def say(status: int, value: Any, **headers: str) -> Reply:
    return status, json.dumps(value).encode(), {"Content-Type": "application/json", **headers}


def page(status: int, body: bytes) -> Reply:
    return status, body, {"Content-Type": "text/html; charset=utf-8"}


class GlitchTip:
    """`releases`: what it holds, {version: release}. `calls`: method and path of each request."""

    def __init__(self, *, org: str = "acme", projects: tuple[str, ...] = ("app",)) -> None:
        self.org = org
        self.projects = projects
        self.releases: dict[str, dict[str, Any]] = {}
        self.calls: list[tuple[str, str]] = []
        self.has_links = True  # False: a list stops after its first page and does not say so
        self._lock = threading.Lock()
        server = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def _serve(self) -> None:
                raw = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                with server._lock:
                    server.calls.append((self.command, self.path))
                    status, body, headers = server._answer(self.command, self.path, raw, self.headers.get("Authorization"))
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            do_GET = do_POST = do_PUT = do_DELETE = _serve  # noqa: N815

            def log_message(self, *_: Any) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    def _answer(self, method: str, path: str, raw: bytes, credentials: str | None) -> Reply:
        parts = urlsplit(path)
        if parts.path == "/api/0/":
            return say(200, {"version": "0", "user": None, "auth": None})
        if credentials != f"Bearer {TOKEN}":
            return say(403, {"detail": "CSRF check Failed"}) if method != "GET" else say(401, {"detail": "Unauthorized"})
        if found := re.fullmatch(r"/api/0/projects/([^/]+)/([^/]+)/(releases/)?", parts.path):
            is_known = (found[1], found[2]) in {(self.org, project) for project in self.projects}
            return say(200, [] if found[3] else {"slug": found[2]}) if is_known else say(404, {"detail": "Not Found"})
        found = re.fullmatch(r"/api/0/organizations/([^/]+)/releases/(?:([^/]+)/)?", parts.path)
        if found is None:
            return page(403, CSRF_PAGE) if method == "POST" else page(404, NOT_FOUND_PAGE)
        if found[1] != self.org:
            return say(404, {"detail": "Not Found"})
        if found[2] is None:
            return self._create(json.loads(raw)) if method == "POST" else self._list(parts.path, parse_qs(parts.query))
        return self._one(method, unquote(found[2]), raw)

    def _create(self, body: dict[str, Any]) -> Reply:
        projects = [slug for slug in body["projects"] if slug in self.projects]
        if not projects:
            return say(422, {"detail": [{"projects": "Require at least one valid project"}]})
        if body["version"] in self.releases:
            return page(500, b"<!doctype html><html><head><title>Server Error (500)</title></head></html>")
        now = datetime.now(UTC).isoformat()
        self.releases[body["version"]] = {
            "url": None,
            "data": {},
            "commitCount": 0,
            "deployCount": 0,
            "projects": [{"name": slug, "slug": slug} for slug in projects],
            "version": body["version"],
            "shortVersion": body["version"],
            "ref": body.get("ref"),
            "dateCreated": now,
            "dateReleased": body.get("dateReleased", now),
        }
        return say(201, self.releases[body["version"]])

    def _list(self, path: str, query: dict[str, list[str]]) -> Reply:
        begin = int(base64.b64decode(query["cursor"][0]).removeprefix(b"p=")) if "cursor" in query else 0
        held = sorted(self.releases.values(), key=lambda release: str(release["dateCreated"]), reverse=True)
        address, following = f"{self.url}{path}", base64.b64encode(b"p=%d" % (begin + PAGE)).decode()
        more = f'<{address}?cursor={quote(following)}>; rel="next"; results="true"; cursor="{following}"'
        end = f'<{address}>; rel="next"; results="false"'
        link = f'<{address}>; rel="previous"; results="false", {more if begin + PAGE < len(held) else end}'
        # GlitchTip's own slip: the header is a Python set of one, written out.
        return say(200, held[begin : begin + PAGE], **({"Link": f"{{'{link}'}}"} if self.has_links else {}))

    def _one(self, method: str, version: str, raw: bytes) -> Reply:
        release = self.releases.get(version)
        if release is None:
            return say(404, {"detail": "Not Found"})
        if method == "DELETE":
            del self.releases[version]
            return 204, b"", {}
        if method == "PUT":
            body = json.loads(raw)
            release["ref"] = body.get("ref")
            release["dateReleased"] = body.get("dateReleased", datetime.now(UTC).isoformat())
        return say(200, release)

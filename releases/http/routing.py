"""What is answered before a route runs, or where none does: paths, methods and types that are not served.

Unknown paths answer as the original's do: 404 without JSON, and a hint where the last slash is missing.
"""

from __future__ import annotations

import re

from flask import Flask, Response, g, request
from werkzeug.exceptions import MethodNotAllowed

from releases.http.request import answer, authorise, server
from releases.tenancy.credentials import DELETE, READ, REPOSITORIES, WRITE

DESCRIPTION = "/api/0/openapi.json"
_USUAL = ("*/*", "application/json")  # of Accept: reading it costs more than the rest of this module
_OWNED = re.compile(r"/api/0/(?:organizations|projects)/([^/]+)/")
_SCOPES = {"GET": READ, "POST": WRITE, "PUT": WRITE, "DELETE": DELETE}
_HINT = "Route not found, did you forget a trailing slash?"


def install(app: Flask) -> None:
    @app.before_request
    def check() -> Response | None:
        path = request.path
        if not path.startswith("/api/") or path == DESCRIPTION:
            return None
        problem = request.routing_exception
        if not path.endswith("/") or (problem is not None and not isinstance(problem, MethodNotAllowed)):
            return _unknown_route()
        return _refuse_type() if problem is None and request.method != "OPTIONS" else None


def _unknown_route() -> Response:
    g.is_unknown = True  # no headers of the API
    if request.path == "/api/0":
        return Response(status=301, headers={"Location": f"{request.script_root}/api/0/"})
    if request.path.endswith("/"):
        return Response(status=404)
    attempt = f"try: {request.path}/"
    if request.mimetype == "application/json":
        return answer({"info": f"{_HINT} {attempt}"}, 404)
    arrow = "^".rjust(len(attempt))
    return Response(f"{_HINT}\n\n{attempt}\n{arrow}\n", 404, content_type="text/plain")


def _refuse_type() -> Response | None:
    """JSON is the only type there is."""
    if request.query_string and request.args.get("format", "json") not in ("json", ""):
        return answer({"detail": "Not found."}, 404)
    accepted = request.headers.get("Accept", "*/*")
    if accepted not in _USUAL and accepted and not request.accept_mimetypes.quality("application/json"):
        return answer({"detail": "Could not satisfy the request Accept header."}, 406)
    return None


def refuse_method() -> Response:
    """405, for a caller whose scopes cover the method; 401, 403 and 404 come before it, as everywhere. Raises Refused."""
    if owned := _OWNED.match(request.path):
        scopes = _SCOPES.get(request.method, ())
        if request.path.endswith("/repos/"):
            scopes = REPOSITORIES if request.method in ("GET", "POST", "PUT") else ()
        with server().reader.begin() as connection:
            authorise(connection, owned[1], scopes)
    return answer({"detail": f'Method "{request.method}" not allowed.'}, 405)


def allowed_methods() -> set[str]:
    """Of the path asked for, also where its method is not one of them."""
    problem = request.routing_exception
    return set(problem.valid_methods or ()) if isinstance(problem, MethodNotAllowed) else set()

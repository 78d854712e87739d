"""The headers of every answer, and whose pages may call the API from a browser. Knows no route's content."""

from __future__ import annotations

from collections import defaultdict

from flask import Flask, Response, g, request

from releases.http.request import answer
from releases.http.routing import allowed_methods

_METHODS = ("GET", "POST", "PUT", "DELETE", "HEAD", "OPTIONS")  # the order of Allow
_EXPOSED = (
    "X-Sentry-Error, X-Sentry-Direct-Hit, X-Hits, X-Max-Hits, Endpoint, Retry-After, Link,"
    " X-Sentry-Rate-Limit-Limit, X-Sentry-Rate-Limit-Remaining, X-Sentry-Rate-Limit-Reset"
)
_ACCEPTED = (
    "X-Sentry-Auth, X-Requested-With, Origin, Accept, Content-Type, Authentication, Authorization, Content-Encoding,"
    " sentry-trace, baggage, X-CSRFToken"
)
_FIXED = {
    "Content-Language": "en",
    "Vary": "Accept-Language, Cookie",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "deny",
    "X-Xss-Protection": "1; mode=block",
}


def install(app: Flask) -> None:
    """Call once all routes are there."""
    allowed = _allowed_methods(app)

    @app.before_request
    def check_origin() -> Response | None:
        origin = _origin()
        if not origin or not request.path.startswith("/api/") or request.method == "OPTIONS" or _is_own(origin):
            return None
        return answer(f"Invalid origin: {origin[:200]}", 400)

    @app.after_request
    def decorate(response: Response) -> Response:
        headers = response.headers
        headers.update(_FIXED)
        if g.get("is_unknown"):
            if response.status_code == 301:  # sent on before anything is read, so it varies with nothing
                del headers["Vary"], headers["Content-Language"]
            return response
        rule = request.url_rule
        allow = allowed[rule.rule] if rule is not None else _in_order(allowed_methods())
        if allow:
            headers["Allow"] = allow
        if request.path.startswith("/api/"):
            _share(response, allow)
        return response


def _allowed_methods(app: Flask) -> dict[str, str]:
    methods: defaultdict[str, set[str]] = defaultdict(set)
    for rule in app.url_map.iter_rules():
        methods[rule.rule] |= rule.methods or set()
    return {rule: _in_order(known) for rule, known in methods.items()}


def _in_order(methods: set[str]) -> str:
    return ", ".join(name for name in _METHODS if name in methods)


def _origin() -> str | None:
    """Of the page that calls; `null` says none (RFC 6454)."""
    origin = request.headers.get("Origin")
    return None if origin == "null" else origin


def _is_own(origin: str) -> bool:
    return origin in (f"http://{request.host}", f"https://{request.host}")


def _share(response: Response, allow: str) -> None:
    headers = response.headers
    headers["Access-Control-Allow-Origin"] = _origin() or "*"
    headers["Access-Control-Allow-Headers"] = _ACCEPTED
    headers["Access-Control-Expose-Headers"] = _EXPOSED
    if allow:
        headers["Access-Control-Allow-Methods"] = allow
    if request.method == "OPTIONS":
        headers["Access-Control-Max-Age"] = "3600"

"""Who may use the API: the bearer of OPS_TOKEN everything, the bearer of OPS_READ_TOKEN looking only. Nothing else counts."""

from __future__ import annotations

import hmac
from typing import Literal

from flask import Flask, Response, request

from shared.config.settings import Settings
from webhook.http.problems import problem

Role = Literal["operator", "viewer"]
_LOOKING = ("GET", "HEAD", "OPTIONS")


def role_of(header: str | None, settings: Settings) -> Role | None:
    """The role that an Authorization header proves. Both tokens are always compared, each in constant time."""
    scheme, _, token = (header or "").partition(" ")
    given = token.strip().encode("utf-8", "replace")
    is_operator = _equal(settings.ops_token, given)
    is_viewer = _equal(settings.ops_read_token, given)
    if scheme.lower() != "bearer":
        return None
    return "operator" if is_operator else "viewer" if is_viewer else None


def _equal(token: str | None, given: bytes) -> bool:
    return hmac.compare_digest((token or "").encode(), given) and bool(token)


def guard(app: Flask, settings: Settings) -> None:
    """Every address under /api, also one that does not exist, needs a token. No cache keeps what is answered there."""

    @app.after_request
    def _protect(response: Response) -> Response:
        if _is_api() or request.path == "/metrics":
            response.headers["Cache-Control"] = "no-store"
            response.headers["X-Content-Type-Options"] = "nosniff"
        return response

    @app.before_request
    def _check() -> Response | None:
        if not _is_api():
            return None
        role = role_of(request.headers.get("Authorization"), settings)
        if role is None:
            off = "" if settings.ops_token or settings.ops_read_token else " (none is set: give OPS_TOKEN)"
            return problem(
                401, f"send Authorization: Bearer with the ops token{off}", {"WWW-Authenticate": 'Bearer realm="tagship"'}
            )
        if role == "viewer" and request.method not in _LOOKING:
            return problem(403, "the reading token may only look")
        return None


def _is_api() -> bool:
    return request.path == "/api" or request.path.startswith("/api/")

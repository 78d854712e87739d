"""Who may use the API: the bearer of OPS_TOKEN everything, the bearer of OPS_READ_TOKEN looking only. Nothing else counts."""

from __future__ import annotations

import hmac
from typing import Literal

from flask import Flask, Response, current_app, request

from shared.config.settings import Settings
from webhook.http.client_address import group
from webhook.http.problems import problem
from webhook.ops import operations
from webhook.ops.acts import Actor
from webhook.ops.guesses import Guesses
from webhook.services import Services

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


def admit() -> Role | Response:
    """The role of this request, or its refusal: 401, and 429 while its sender has sent too many wrong tokens."""
    services: Services = current_app.extensions["services"]
    guesses: Guesses = current_app.extensions["guesses"]
    header = request.headers.get("Authorization")
    if header is not None and (wait := guesses.wait(request.remote_addr)):
        too_many = f"too many wrong tokens from {group(request.remote_addr)}: try again in {wait} s"
        return problem(429, too_many, {"Retry-After": str(wait)})
    role = role_of(header, services.settings)
    if role is not None:
        return role
    if header is not None and guesses.note_wrong(request.remote_addr):
        nobody = Actor(door="api", role="-", address=request.remote_addr)
        operations.note(services, nobody, "token_refused")
    is_off = not (services.settings.ops_token or services.settings.ops_read_token)
    off = " (none is set: give OPS_TOKEN)" if is_off else ""
    return problem(401, f"send Authorization: Bearer with the ops token{off}", {"WWW-Authenticate": 'Bearer realm="tagship"'})


def guard(app: Flask) -> None:
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
        role = admit()
        if isinstance(role, Response):
            return role
        if role == "viewer" and request.method not in _LOOKING:
            return problem(403, "the reading token may only look")
        return None


def _is_api() -> bool:
    return request.path == "/api" or request.path.startswith("/api/")

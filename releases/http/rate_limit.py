"""The rate limit of the original, to practise clients against: off unless asked for. Keeps its counts in this process."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from threading import Lock

from flask import Flask, Response, g, request

from shared.config.settings import Settings
from shared.errors import SettingsError

SETTING = "RELEASES_RATE_LIMIT"
_WINDOW_SECONDS = 1
_OTHER_ROUTES = 999  # the group every other release route is in
_CONCURRENT = 25
_MOST_CALLERS = 10_000
_LIST = "/api/0/organizations/<org>/releases/"


def read_limit(settings: Settings) -> int | None:
    """Requests a second and caller on an organization's releases; None: no limit. Raises SettingsError."""
    text = settings.environ.get(SETTING)
    if text is None:
        return None
    if not (text.isascii() and text.isdigit() and 1 <= int(text[:9]) <= 100_000):
        raise SettingsError([f"{SETTING} must be a whole number from 1 to 100000, not {text!r}"])
    return int(text)


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where one request stands: what is left, and why it is refused, if it is."""

    limit: int
    remaining: int
    reset: int
    concurrent_remaining: int
    refusal: str | None


class Limiter:
    """Counts requests per caller and second, and those under way."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self._lock = Lock()
        self._second = 0
        self._counts: dict[str, int] = {}
        self._running: dict[str, int] = {}

    def enter(self, caller: str, limit: int, now: float) -> Place:
        with self._lock:
            if int(now) != self._second or len(self._counts) > _MOST_CALLERS:
                self._second, self._counts = int(now), {}
            count = self._counts[caller] = self._counts.get(caller, 0) + 1
            running = self._running[caller] = self._running.get(caller, 0) + 1
        return Place(
            limit=limit,
            remaining=max(limit - count, 0),
            reset=int(now) + _WINDOW_SECONDS,
            concurrent_remaining=max(_CONCURRENT - running, 0),
            refusal=_refusal(limit, count, running),
        )

    def leave(self, caller: str) -> None:
        with self._lock:
            left = self._running.pop(caller, 1) - 1
            if left:
                self._running[caller] = left


def _refusal(limit: int, count: int, running: int) -> str | None:
    if running > _CONCURRENT:
        return f"You are attempting to go above the allowed concurrency for this endpoint. Concurrency limit is {_CONCURRENT}"
    if count > limit:
        return f"You are attempting to use this endpoint too frequently. Limit is {limit} requests in {_WINDOW_SECONDS} seconds"
    return None


def install(app: Flask, limit: int, clock: Callable[[], datetime]) -> None:
    limiter = Limiter(limit)

    @app.before_request
    def check() -> Response | None:
        rule = request.url_rule.rule if request.url_rule is not None else ""
        if not rule.startswith("/api/"):
            return None
        own = limiter.limit if rule == _LIST else _OTHER_ROUTES
        who = request.headers.get("Authorization") or request.remote_addr or ""
        g.limited_as = f"{hashlib.sha256(who.encode()).hexdigest()} {request.method} {rule if rule == _LIST else ''}"
        g.place = limiter.enter(g.limited_as, own, clock().timestamp())
        if g.place.refusal is None:
            return None
        # The original's middleware leaves the framework's HTML type on its JSON, and sets no Retry-After.
        return Response(json.dumps({"detail": g.place.refusal}), 429, content_type="text/html; charset=utf-8")

    @app.after_request
    def tell(response: Response) -> Response:
        place: Place | None = g.get("place")
        if place is not None:
            headers = response.headers
            headers["X-Sentry-Rate-Limit-Limit"] = str(place.limit)
            headers["X-Sentry-Rate-Limit-Remaining"] = str(place.remaining)
            headers["X-Sentry-Rate-Limit-Reset"] = str(place.reset)
            headers["X-Sentry-Rate-Limit-ConcurrentLimit"] = str(_CONCURRENT)
            headers["X-Sentry-Rate-Limit-ConcurrentRemaining"] = str(place.concurrent_remaining)
        return response

    @app.teardown_request
    def leave(_: BaseException | None) -> None:
        if (caller := g.pop("limited_as", None)) is not None:
            limiter.leave(caller)

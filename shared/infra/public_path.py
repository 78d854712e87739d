"""Below which path of its host an app is reached: as a setting says, or a trusted proxy. Knows no route."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from ipaddress import IPv4Network, IPv6Network
from typing import Any
from urllib.parse import urlsplit

from shared.infra.network import is_within

WsgiApp = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]

_LONGEST = 200
_PATH = re.compile(r"(?:/[A-Za-z0-9_~-][A-Za-z0-9._~-]*)+")


def path_of(url: str) -> str:
    """`/tagship` of `https://host/tagship/`; empty where the URL has no path."""
    return urlsplit(url).path.rstrip("/")


def is_public_path(path: str) -> bool:
    """Whether it is empty, or segments of letters, digits and `-._~`: what stands in a page without being escaped."""
    return not path or (len(path) <= _LONGEST and _PATH.fullmatch(path) is not None)


class PublicPath:
    """Wraps a WSGI app. SCRIPT_NAME becomes the path it is reached below, so that every address it makes begins with that.

    `X-Forwarded-Prefix` and `X-Forwarded-Proto` count from a trusted proxy alone, and go before `path`. A proxy may take the
    path off or leave it on, so requests work with and without it.
    """

    def __init__(self, app: WsgiApp, path: str, trusted: Sequence[IPv4Network | IPv6Network]) -> None:
        self._app = app
        self._path = path
        self._trusted = tuple(trusted)

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        path = self._path
        if self._trusted and is_within(environ.get("REMOTE_ADDR", ""), self._trusted):
            path = _forwarded_path(environ.get("HTTP_X_FORWARDED_PREFIX", "")) or path
            if (scheme := environ.get("HTTP_X_FORWARDED_PROTO", "").partition(",")[0].strip().lower()) in ("http", "https"):
                environ["wsgi.url_scheme"] = scheme
        if path:
            environ["SCRIPT_NAME"] = path
            environ["PATH_INFO"] = without(path, environ.get("PATH_INFO", ""))
        return self._app(environ, start_response)


def without(prefix: str, path: str) -> str:
    """The address below the prefix; the same where it does not begin with it."""
    if not prefix or not path.startswith(prefix):
        return path
    rest = path[len(prefix) :]
    return path if rest and not rest.startswith("/") else rest or "/"


def _forwarded_path(header: str) -> str | None:
    path = header.partition(",")[0].strip().rstrip("/")
    return path if is_public_path(path) else None

"""What stands before a request's body, read once: its headers by name, and what they announce of the body."""

from __future__ import annotations

import io
import sys
from collections.abc import Mapping, MutableMapping
from functools import lru_cache
from typing import IO, Any, NamedTuple

from shared.infra.bodies import FileBody

Scope = MutableMapping[str, Any]
HEADERS = "tagship.headers"  # the environ's key of {name in lower case: value}, as the request brought them
_OURS = (b"content-length", b"transfer-encoding")  # describe the body as it was read, not as it was sent
_ENVIRON_NAMES = {"content-type": "CONTENT_TYPE"}


class Head(NamedTuple):
    """`headers`: {name in lower case: value}. `announced`: the body's bytes, None where the sender does not say.

    `is_encoded`: a Transfer-Encoding other than exactly `chunked`. Proxies differ in what they make of those, and so in where
    the next request begins.
    """

    headers: dict[str, str]
    announced: int | None
    is_encoded: bool


def read_head(scope: Scope) -> Head:
    """Names that hold an underscore are dropped: they would pass for the name with a hyphen."""
    headers: dict[str, str] = {}
    announced, is_encoded = None, False
    for raw_name, raw_value in scope["headers"]:
        if raw_name in _OURS:
            if raw_name == b"transfer-encoding":
                is_encoded |= raw_value != b"chunked"
            elif raw_value.isdigit():
                announced = int(raw_value[:20])
            continue
        if b"_" in raw_name:
            continue
        name, value = _lower(raw_name), raw_value.decode("latin-1")
        headers[name] = f"{headers[name]},{value}" if name in headers else value
    return Head(headers, announced, is_encoded)


@lru_cache(maxsize=500)
def _lower(name: bytes) -> str:
    return name.decode("latin-1").lower()


def make_environ(scope: Scope, headers: Mapping[str, str], body: bytes | IO[bytes], size: int) -> dict[str, Any]:
    """PEP 3333's environ."""
    client, server = scope.get("client") or ("", 0), scope.get("server") or ("localhost", 80)
    environ: dict[str, Any] = {
        "REQUEST_METHOD": scope["method"],
        "SCRIPT_NAME": "",
        "PATH_INFO": scope["path"].encode("utf-8", "surrogateescape").decode("latin-1"),
        "QUERY_STRING": scope["query_string"].decode("latin-1"),
        "REQUEST_URI": scope.get("raw_path", b"").decode("latin-1"),
        "SERVER_NAME": str(server[0]),
        "SERVER_PORT": str(server[1]),
        "SERVER_PROTOCOL": "HTTP/" + scope.get("http_version", "1.1"),
        "REMOTE_ADDR": str(client[0]),
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": scope.get("scheme", "http"),
        "wsgi.input": io.BytesIO(body) if isinstance(body, bytes) else body,
        "wsgi.file_wrapper": FileBody,
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": True,
        "wsgi.multiprocess": True,
        "wsgi.run_once": False,
        "CONTENT_LENGTH": str(size),
    }
    for name, value in headers.items():
        environ[_ENVIRON_NAMES.get(name) or "HTTP_" + name.upper().replace("-", "_")] = value
    environ[HEADERS] = headers
    return environ

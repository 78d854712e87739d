"""The way from the HTTP server into a Flask app: reads the whole body in the event loop, then runs the app in a thread.

A WSGI server hands each request a thread that then waits inside `wsgi.input`; a few hundred senders that trickle their
bodies stop every other one (docs/decisions/0005). Here a slow body costs a coroutine, has a deadline and a cap, and the
app only ever sees bodies that are complete.

A `quick` may answer some requests in the event loop itself: handing one to a thread and back costs more than it takes.

Where large bodies are expected (`Limits.spool_above`), they are written to a file without a name as they arrive, and a file
that the app answers with is sent piece by piece: memory does not grow with what is sent.
"""

from __future__ import annotations

import asyncio
import io
import sys
from collections.abc import Awaitable, Callable, Iterable, Mapping, MutableMapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import lru_cache
from typing import IO, Any

from shared.infra.bodies import Arrived, FileBody

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
WsgiApp = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]
Answer = tuple[int, list[tuple[str, str]], bytes | FileBody]
HEADERS = "tagship.headers"  # the environ's key of {name in lower case: value}, as the request brought them
# (scope, headers as in HEADERS, body) -> the answer to come, None for what the app is to answer. It never waits by itself.
Quick = Callable[[Scope, Mapping[str, str], bytes], Awaitable[Answer] | None]


@dataclass(frozen=True, slots=True)
class Limits:
    """What a body may cost. A sender must keep up: `stall_seconds`, plus one second for every `bytes_per_second` sent."""

    max_body: int = 25 * 1024 * 1024
    stall_seconds: float = 10.0
    bytes_per_second: int = 256 * 1024
    max_buffered: int = 256 * 1024 * 1024  # all bodies being read at once, in bytes
    look_seconds: float = 0.25  # how late a stall may be noticed
    spool_above: int | None = None  # bytes of a body that are kept in memory; None: all
    spool_folder: str | None = None  # where the rest goes


@dataclass(frozen=True, slots=True)
class Refusal:
    """A body that was not read to its end; `status` is 408, 413, 503 or 507."""

    status: int
    detail: str


class _Waiting:
    """A body that is being read: until when its sender has time, and whether that is over."""

    __slots__ = ("is_over", "task", "until")

    def __init__(self, task: asyncio.Task[Any] | None, until: float) -> None:
        assert task is not None  # noqa: S101
        self.task = task
        self.until = until
        self.is_over = False


Refuse = Callable[[Refusal], tuple[list[tuple[str, str]], bytes]]
_OURS = (b"content-length", b"transfer-encoding")  # told of the body as it was read, not as it was sent
_ENVIRON_NAMES = {"content-type": "CONTENT_TYPE"}
_GONE = Refusal(499, "the sender went away")


class FlaskInAsgi:
    """An ASGI app around a WSGI app. `refuse` renders a Refusal as (headers, body) in the app's own style."""

    def __init__(
        self,
        app: WsgiApp,
        *,
        refuse: Refuse,
        limits: Limits | None = None,
        threads: int = 8,
        quick: Quick = lambda scope, headers, body: None,
        on_stop: Callable[[], Awaitable[object]] | None = None,
    ) -> None:
        self._app = app
        self._refuse = refuse
        self._quick = quick
        self._on_stop = on_stop
        self._limits = limits or Limits()
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="request")
        self._buffered = 0
        self._waiting: set[_Waiting] = set()
        self._looking: asyncio.AbstractEventLoop | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._lifespan(receive, send)
            return
        if scope["type"] != "http":
            return
        kept = 0
        arrived = Arrived(self._limits.spool_above, self._limits.spool_folder)
        try:
            body = await self._read(scope, receive, arrived)
            if isinstance(body, Refusal):
                if body is not _GONE:
                    headers, text = self._refuse(body)
                    await _answer(send, body.status, [*headers, ("Connection", "close")], text)
                return
            kept = arrived.held
            self._buffered += kept
            told = _headers(scope)
            quick = self._quick(scope, told, body) if isinstance(body, bytes) else None
            status, headers, shown = await (quick or self._in_thread(_environ(scope, told, body, arrived.size)))
            if isinstance(shown, FileBody):
                await self._answer_file(send, status, headers, shown)
            else:
                await _answer(send, status, headers, shown)
        finally:
            self._buffered -= kept
            arrived.close()

    async def _read(self, scope: Scope, receive: Receive, arrived: Arrived) -> bytes | IO[bytes] | Refusal:
        limits = self._limits
        if (announced := _content_length(scope)) is not None and announced > limits.max_body:
            return Refusal(413, f"the body is larger than {limits.max_body} bytes")
        held = 0
        loop = asyncio.get_running_loop()
        started = loop.time()
        waiting = _Waiting(asyncio.current_task(), started + limits.stall_seconds)
        self._watch(loop, waiting)
        try:
            while True:
                message = await receive()
                if message["type"] == "http.disconnect":
                    return _GONE
                arrived.add(message.get("body", b""))
                self._buffered += arrived.held - held
                held, size = arrived.held, arrived.size
                if size > limits.max_body:
                    return Refusal(413, f"the body is larger than {limits.max_body} bytes")
                if self._buffered > limits.max_buffered:
                    return Refusal(503, "too many bodies are being read at once; try again")
                if not message.get("more_body", False):
                    return arrived.finish()
                waiting.until = started + limits.stall_seconds + size / limits.bytes_per_second
        except asyncio.CancelledError:
            if not waiting.is_over or waiting.task.uncancel():
                raise
            late = f"{arrived.size} bytes after {loop.time() - started:.0f} seconds"
            return Refusal(408, f"the body did not arrive in time: {late}")
        except OSError as problem:
            return Refusal(507, f"the body cannot be kept: {problem.strerror}")
        finally:
            self._waiting.discard(waiting)
            self._buffered -= held

    def _watch(self, loop: asyncio.AbstractEventLoop, waiting: _Waiting) -> None:
        """One timer for all that wait: one for each of them costs more than the rest of reading a body."""
        self._waiting.add(waiting)
        if self._looking is not loop:
            self._looking = loop
            loop.call_later(self._limits.look_seconds, self._look, loop)

    def _look(self, loop: asyncio.AbstractEventLoop) -> None:
        if not self._waiting:
            self._looking = None
            return
        now = loop.time()
        for waiting in self._waiting:
            if now >= waiting.until and not waiting.is_over:
                waiting.is_over = True
                waiting.task.cancel()
        loop.call_later(self._limits.look_seconds, self._look, loop)

    def _in_thread(self, environ: dict[str, Any]) -> Awaitable[Answer]:
        return asyncio.get_running_loop().run_in_executor(self._pool, self._call, environ)

    def _call(self, environ: dict[str, Any]) -> Answer:
        started: list[Any] = []

        def start_response(status: str, headers: list[tuple[str, str]], exc_info: Any = None) -> Callable[[bytes], None]:
            started[:] = [int(status[:3]), headers]
            return lambda _: None

        result = self._app(environ, start_response)
        if isinstance(result, FileBody):
            return started[0], started[1], result
        try:
            body = b"".join(result)
        finally:
            if (close := getattr(result, "close", None)) is not None:
                close()
        return started[0], started[1], body

    async def _answer_file(self, send: Send, status: int, headers: list[tuple[str, str]], file: FileBody) -> None:
        loop = asyncio.get_running_loop()
        try:
            await _start(send, status, headers)
            while piece := await loop.run_in_executor(self._pool, file.read):
                await send({"type": "http.response.body", "body": piece, "more_body": True})
            await send({"type": "http.response.body", "body": b"", "more_body": False})
        finally:
            file.close()

    async def _lifespan(self, receive: Receive, send: Send) -> None:
        while True:
            message = await receive()
            if message["type"] == "lifespan.startup":
                await send({"type": "lifespan.startup.complete"})
            elif message["type"] == "lifespan.shutdown":
                self._pool.shutdown(wait=True)
                if self._on_stop is not None:
                    await self._on_stop()
                await send({"type": "lifespan.shutdown.complete"})
                return


async def _answer(send: Send, status: int, headers: list[tuple[str, str]], body: bytes) -> None:
    await _start(send, status, headers)
    await send({"type": "http.response.body", "body": body, "more_body": False})


async def _start(send: Send, status: int, headers: list[tuple[str, str]]) -> None:
    raw = [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in headers]
    await send({"type": "http.response.start", "status": status, "headers": raw})


def _content_length(scope: Scope) -> int | None:
    for name, value in scope["headers"]:
        if name == b"content-length" and value.isdigit():
            return int(value[:20])
    return None


def _headers(scope: Scope) -> dict[str, str]:
    """{name in lower case: value}. Names that hold an underscore are dropped: they would pass for the name with a hyphen."""
    headers: dict[str, str] = {}
    for raw_name, raw_value in scope["headers"]:
        if b"_" in raw_name or raw_name in _OURS:
            continue
        name, value = _lower(raw_name), raw_value.decode("latin-1")
        headers[name] = f"{headers[name]},{value}" if name in headers else value
    return headers


@lru_cache(maxsize=500)
def _lower(name: bytes) -> str:
    return name.decode("latin-1").lower()


def _environ(scope: Scope, headers: Mapping[str, str], body: bytes | IO[bytes], size: int) -> dict[str, Any]:
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

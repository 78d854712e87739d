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
from collections.abc import Awaitable, Callable, Iterable, Mapping, MutableMapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import IO, Any

from shared.infra.asgi_head import Scope, make_environ, read_head
from shared.infra.bodies import Arrived, FileBody

Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
WsgiApp = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]
Answer = tuple[int, list[tuple[str, str]], bytes | FileBody]
# (scope, headers as in HEADERS, body) -> the answer to come, None for what the app is to answer. It never waits by itself.
Quick = Callable[[Scope, Mapping[str, str], bytes], Awaitable[Answer] | None]
# (scope, headers) -> how many bytes of body the request may have, or the answer to it whatever its body is.
Admit = Callable[[Scope, Mapping[str, str]], int | Awaitable[Answer]]


@dataclass(frozen=True, slots=True)
class Limits:
    """What a body may cost. A sender must keep up: `stall_seconds`, plus one second for every `bytes_per_second` sent."""

    max_body: int = 25 * 1024 * 1024
    stall_seconds: float = 10.0
    bytes_per_second: int = 256 * 1024
    max_buffered: int = 192 * 1024 * 1024  # bytes of all bodies, from the first byte read until each is answered
    look_seconds: float = 0.25  # how late a stall may be noticed
    spool_above: int | None = None  # bytes of a body that are kept in memory; None: all
    spool_folder: str | None = None  # where the rest goes
    linger_seconds: float = 5.0  # for how long a body that nobody wants is still taken in, to be dropped


@dataclass(frozen=True, slots=True)
class Refusal:
    """A body that was not read to its end; `status` is 400, 408, 413, 503 or 507. `is_over`: nothing more comes of it."""

    status: int
    detail: str
    is_over: bool = False


class _Waiting:
    """A body that is being read: until when its sender has time, and whether that is over."""

    __slots__ = ("is_over", "task", "until")

    def __init__(self, task: asyncio.Task[Any] | None, until: float) -> None:
        assert task is not None  # noqa: S101
        self.task = task
        self.until = until
        self.is_over = False


Refuse = Callable[[Refusal], tuple[list[tuple[str, str]], bytes]]
_CUT = Refusal(400, "the body ended early, or its chunks cannot be read", is_over=True)
_ENCODED = Refusal(400, "Transfer-Encoding must be chunked or absent")
_CLOSE = ("Connection", "close")


class FlaskInAsgi:
    """An ASGI app around a WSGI app. `refuse` renders a Refusal as (headers, body) in the app's own style.

    `admit` looks at each request before its body is read.
    """

    def __init__(
        self,
        app: WsgiApp,
        *,
        refuse: Refuse,
        limits: Limits | None = None,
        threads: int = 8,
        quick: Quick = lambda scope, headers, body: None,
        admit: Admit | None = None,
        on_stop: Callable[[], Awaitable[object]] | None = None,
    ) -> None:
        self._app = app
        self._refuse = refuse
        self._quick = quick
        self._on_stop = on_stop
        self._limits = limits or Limits()
        self._admit: Admit = admit or (lambda scope, headers: self._limits.max_body)
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
        head = read_head(scope)
        if head.is_encoded:
            await self._refuse_body(send, receive, _ENCODED)
            return
        admitted = self._admit(scope, head.headers)
        if not isinstance(admitted, int):
            status, headers, shown = await admitted
            await self._answer_unread(send, receive, status, headers, shown if isinstance(shown, bytes) else b"")
            return
        kept = 0  # the body counts until the answer is sent: nothing holds it any longer
        arrived = Arrived(self._limits.spool_above, self._limits.spool_folder)
        try:
            body = await self._read(receive, arrived, head.announced, admitted)
            if isinstance(body, Refusal):
                arrived.close()
                await self._refuse_body(send, receive, body)
                return
            kept = arrived.held
            self._buffered += kept
            quick = self._quick(scope, head.headers, body) if isinstance(body, bytes) else None
            status, headers, shown = await (quick or self._in_thread(make_environ(scope, head.headers, body, arrived.size)))
            if isinstance(shown, FileBody):
                await self._answer_file(send, status, headers, shown)
            else:
                await _answer(send, status, headers, shown)
        finally:
            self._buffered -= kept
            arrived.close()

    async def _refuse_body(self, send: Send, receive: Receive, refusal: Refusal) -> None:
        headers, text = self._refuse(refusal)
        if refusal.is_over:
            await _answer(send, refusal.status, [*headers, _CLOSE], text)
        else:
            await self._answer_unread(send, receive, refusal.status, headers, text)

    async def _answer_unread(
        self, send: Send, receive: Receive, status: int, headers: list[tuple[str, str]], text: bytes
    ) -> None:
        """Answer and close, but not at once: a connection that is closed while bytes of it wait unread is reset, and the
        sender, who writes his body before he looks, would never see the answer."""
        await _answer(send, status, [*headers, _CLOSE], text)
        left = self._limits.max_body
        try:
            async with asyncio.timeout(self._limits.linger_seconds):
                while left > 0:
                    message = await receive()
                    left -= len(message.get("body", b"")) + 1_024  # tiny pieces cost time, too
                    if message["type"] == "http.disconnect" or not message.get("more_body", False):
                        return
        except TimeoutError:
            return

    async def _read(self, receive: Receive, arrived: Arrived, announced: int | None, most: int) -> bytes | IO[bytes] | Refusal:
        limits = self._limits
        if announced is not None and announced > most:
            return Refusal(413, f"the body is larger than {most} bytes")
        held = 0
        loop = asyncio.get_running_loop()
        started = loop.time()
        waiting = _Waiting(asyncio.current_task(), started + limits.stall_seconds)
        self._watch(loop, waiting)
        try:
            while True:
                message = await receive()
                if message["type"] == "http.disconnect":
                    return _CUT
                arrived.add(message.get("body", b""))
                self._buffered += arrived.held - held
                held, size = arrived.held, arrived.size
                if size > most:
                    return Refusal(413, f"the body is larger than {most} bytes")
                if self._buffered > limits.max_buffered:
                    return Refusal(503, "too many bodies are being read at once; try again")
                if not message.get("more_body", False):
                    return arrived.finish()
                waiting.until = started + limits.stall_seconds + size / limits.bytes_per_second
        except asyncio.CancelledError:
            if not waiting.is_over or waiting.task.uncancel():
                raise
            late = f"{arrived.size} bytes after {loop.time() - started:.0f} seconds"
            return Refusal(408, f"the body did not arrive in time: {late}", is_over=True)
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

        try:
            result = self._app(environ, start_response)
            if isinstance(result, FileBody):
                return started[0], started[1], result
            try:
                body = b"".join(result)
            finally:
                if (close := getattr(result, "close", None)) is not None:
                    close()
        finally:
            environ.clear()  # Werkzeug's request and its environ hold each other, and the body, until a collection
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

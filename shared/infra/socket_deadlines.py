"""Holds every socket of the HTTP client to the deadline of the call under way, and uses the wait for an answer. Knows no HTTP.

A read timeout bounds the silence between two bytes, never their sum: a host that sends the header of its answer a byte at a
time, or takes the request so, would keep a thread for days. The client itself has no such limit.
"""

from __future__ import annotations

import ssl
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any, Generic, TypeVar, cast

import httpcore2

T = TypeVar("T")

_PIECE = 4096  # of a request: how much may go out before the time is looked at again

_call = threading.local()


@contextmanager
def within(left: Callable[[], float]) -> Iterator[None]:
    """While this lasts, what this thread reads and writes must be done before `left()` (in seconds) is used up."""
    _call.left = left
    try:
        yield
    finally:
        _call.left = None


class Errand(Generic[T]):
    """Work for the time in which an answer is on its way. Done once, in the thread that waits: a second thread would take the
    interpreter from it before the request is out."""

    def __init__(self, work: Callable[[], T]) -> None:
        self._work: Callable[[], T] | None = work
        self._value: T | None = None
        self._fault: Exception | None = None

    def run(self) -> None:
        work, self._work = self._work, None
        if work is None:
            return
        try:
            self._value = work()
        except Exception as fault:  # not the call's, which goes on
            self._fault = fault

    def result(self) -> T:
        """What the work made, or raises what it raised. Does it now if no answer was waited for."""
        self.run()
        if self._fault is not None:
            raise self._fault
        return cast(T, self._value)


@contextmanager
def meanwhile(errand: Errand[Any]) -> Iterator[None]:
    """While this lasts, the first answer that this thread waits for finds `errand` done when it arrives."""
    _call.errand = errand
    try:
        yield
    finally:
        _call.errand = None


def _bound(timeout: float | None, fault: type[Exception]) -> float | None:
    left: Callable[[], float] | None = getattr(_call, "left", None)
    if left is None:
        return timeout
    seconds = left()
    if seconds <= 0:
        raise fault("the call's time is used up")
    return seconds if timeout is None else min(timeout, seconds)


class _Stream(httpcore2.NetworkStream):
    def __init__(self, stream: httpcore2.NetworkStream) -> None:
        self._stream = stream

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        errand: Errand[Any] | None = getattr(_call, "errand", None)
        if errand is not None:
            errand.run()
        return self._stream.read(max_bytes, _bound(timeout, httpcore2.ReadTimeout))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        for start in range(0, len(buffer), _PIECE):
            self._stream.write(buffer[start : start + _PIECE], _bound(timeout, httpcore2.WriteTimeout))

    def close(self) -> None:
        self._stream.close()

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore2.NetworkStream:
        bound = _bound(timeout, httpcore2.ConnectTimeout)
        return _Stream(self._stream.start_tls(ssl_context, server_hostname, bound))

    def get_extra_info(self, info: str) -> Any:
        return self._stream.get_extra_info(info)


class DeadlineBackend(httpcore2.NetworkBackend):
    """Connections as the library makes them, each with the bound under it."""

    def __init__(self) -> None:
        self._backend = httpcore2.SyncBackend()

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore2.NetworkStream:
        bound = _bound(timeout, httpcore2.ConnectTimeout)
        return _Stream(self._backend.connect_tcp(host, port, bound, local_address, socket_options))

    def sleep(self, seconds: float) -> None:
        self._backend.sleep(seconds)

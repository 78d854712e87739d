"""Outgoing HTTP: bounded in time and size, no redirects, connection faults as TransientError. Knows no API."""

from __future__ import annotations

import socket
import ssl
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

import httpx2

from shared import __version__
from shared.errors import TransientError
from shared.infra.http_transport import ProxyUnreachable, make_transports
from shared.infra.outgoing import Outgoing
from shared.infra.redaction import mask, mask_beginning
from shared.infra.socket_deadlines import within

USER_AGENT = f"tagship/{__version__}"
_LONGEST_WAIT = timedelta(days=1)  # that another side may ask for
_LARGEST_ANSWER = 8 * 1024 * 1024
READ_OF_REFUSAL = 64 * 1024
_CONNECT_SECONDS = 5.0
_CALL_SECONDS = 22.0  # between two chunks at most, however far the deadline: a SIGTERM must be obeyed within 30
_DIRECTLY = Outgoing()


@dataclass(frozen=True, slots=True)
class Answer:
    """Header names in lower case; the body whole."""

    status: int
    headers: Mapping[str, str]
    body: bytes


def redacted(answer: Answer, secret: str, longest: int | None = None) -> Answer:
    """The answer as people may read it: without the secret, however the other side echoes it, and `longest` bytes at most."""
    body = mask(answer.body, secret) if longest is None else mask_beginning(answer.body, secret, longest)
    return replace(answer, body=body)


class Deadline:
    """A point in time that several calls share: connect and read timeouts alone do not bound a slow drip.

    Once `stopping` is set nothing is left: a long row of calls ends with the one that is under way.
    """

    def __init__(
        self, seconds: float, stopping: threading.Event | None = None, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._clock = clock
        self._end = clock() + seconds
        self._stopping = stopping

    def left(self) -> float:
        if self._stopping is not None and self._stopping.is_set():
            return 0.0
        return self.until_end()

    def until_end(self) -> float:
        """The same for the call that is under way: it may go on though we are stopping."""
        return self._end - self._clock()


def make_client(outgoing: Outgoing = _DIRECTLY) -> httpx2.Client:
    """A pool of kept connections; thread-safe. Proxies are never used for this machine itself.

    Raises OSError where `outgoing` names certificates that cannot be read.
    """
    limits = httpx2.Limits(max_connections=64, max_keepalive_connections=32, keepalive_expiry=30)
    direct, mounts = make_transports(outgoing, limits)
    return httpx2.Client(
        headers={"User-Agent": USER_AGENT, "Accept": "application/json"},
        follow_redirects=False,
        transport=direct,
        mounts={**mounts, "all://127.0.0.1": None, "all://localhost": None, "all://[::1]": None},
        trust_env=False,
    )


def call(
    client: httpx2.Client,
    method: str,
    url: str,
    *,
    headers: Mapping[str, str],
    deadline: Deadline,
    body: bytes | None = None,
) -> Answer:
    """One request. Raises TransientError when it could not be made or was not answered whole before the deadline.

    A GET whose connection ends before any answer is made once more at once: a host may close a kept connection in the very
    moment in which it is used again.
    """
    host = httpx2.URL(url).netloc.decode()
    try:
        try:
            return _ask(client, method, url, headers, body, deadline)
        except _Unanswered:
            if method != "GET":
                raise
            return _ask(client, method, url, headers, body, deadline)
    except _Unanswered as problem:
        raise TransientError(f"{host} ended the connection without an answer ({problem})") from None
    except httpx2.TimeoutException as problem:
        raise TransientError(f"{host} did not answer in time ({type(problem).__name__})") from None
    except (httpx2.HTTPError, httpx2.InvalidURL) as problem:
        raise TransientError(f"{host} could not be reached: {why_not_reached(problem)}") from None


def why_not_reached(problem: BaseException) -> str:
    """A connection's fault in words: what the operating system or TLS said is the cause of the library's exception."""
    if isinstance(problem, httpx2.ProxyError):
        return f"the proxy refused ({_first_words(str(problem))})"
    if isinstance(problem, ProxyUnreachable):
        return f"its proxy {problem}: {_why(problem.__cause__ or problem.__context__)}"
    return _why(problem)


def _why(problem: BaseException | None) -> str:
    cause = problem
    for _ in range(10):
        if isinstance(cause, ssl.SSLCertVerificationError):
            return f"its certificate is not trusted ({cause.verify_message})"
        if isinstance(cause, ssl.SSLError):
            plain = "WRONG_VERSION_NUMBER" in str(cause) or "RECORD_LAYER_FAILURE" in str(cause)
            return "this port does not speak TLS" if plain else f"TLS failed ({cause.reason or type(cause).__name__})"
        if isinstance(cause, socket.gaierror):
            return "its name was not found"
        if isinstance(cause, ConnectionRefusedError):
            return "the connection was refused"
        if cause is None:
            break
        cause = cause.__cause__ or cause.__context__
    return _first_words(str(problem)) or type(problem).__name__


def _first_words(text: str) -> str:
    return " ".join(text.split())[:200]


class _Unanswered(Exception):
    """The connection was there, and ended before the first line of an answer."""


def _ask(
    client: httpx2.Client, method: str, url: str, headers: Mapping[str, str], body: bytes | None, deadline: Deadline
) -> Answer:
    left = deadline.left()
    if left <= 0:
        raise TransientError("no time was left for the request")
    timeout = httpx2.Timeout(min(left, _CALL_SECONDS), connect=min(_CONNECT_SECONDS, left))
    with within(deadline.until_end), ExitStack() as stack:
        try:
            response = stack.enter_context(client.stream(method, url, headers=dict(headers), content=body, timeout=timeout))
        except (httpx2.RemoteProtocolError, httpx2.ReadError, httpx2.WriteError) as problem:
            raise _Unanswered(type(problem).__name__) from None
        return Answer(response.status_code, dict(response.headers), _read(response, deadline, httpx2.URL(url).host))


def _read(response: httpx2.Response, deadline: Deadline, host: str) -> bytes:
    chunks: list[bytes] = []
    size = 0
    for chunk in response.iter_bytes():
        size += len(chunk)
        chunks.append(chunk)
        if size > _LARGEST_ANSWER:
            raise TransientError(f"{host} answered with more than {_LARGEST_ANSWER} bytes", status=response.status_code)
        if deadline.left() <= 0:
            raise TransientError(f"{host} did not finish its answer in time", status=response.status_code)
    return b"".join(chunks)


def retry_after(headers: Mapping[str, str], now: datetime) -> timedelta | None:
    """What the other side asks for: `Retry-After` (seconds or a date), else Sentry's reset time (epoch seconds)."""
    value = headers.get("retry-after", "").strip()
    if value.isascii() and value.isdigit():
        return min(timedelta(seconds=int(value[:9])), _LONGEST_WAIT)
    if value:
        try:
            moment = parsedate_to_datetime(value)
            moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
            return min(max(timedelta(0), moment - now), _LONGEST_WAIT)
        except (ValueError, TypeError, OverflowError):
            pass  # unreadable: the other header may still say it
    reset = headers.get("x-sentry-rate-limit-reset", "").strip()
    if reset.isascii() and reset.isdigit():
        return min(max(timedelta(0), timedelta(seconds=int(reset[:12]) - now.timestamp())), _LONGEST_WAIT)
    return None

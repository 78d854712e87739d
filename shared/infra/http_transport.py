"""httpx's transport over connections that keep to deadlines: a call's own, or through a proxy. Knows no API.

The library's own transport takes no network backend, its connection pools do: so the pools are made here.
"""

from __future__ import annotations

import ssl
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import httpcore2
import httpx2
from socksio.exceptions import SOCKSError

from shared.infra.outgoing import Outgoing, make_tls_context
from shared.infra.socket_deadlines import DeadlineBackend

_FAULTS: Mapping[type[Exception], type[httpx2.TransportError]] = {
    httpcore2.ConnectTimeout: httpx2.ConnectTimeout,
    httpcore2.ReadTimeout: httpx2.ReadTimeout,
    httpcore2.WriteTimeout: httpx2.WriteTimeout,
    httpcore2.PoolTimeout: httpx2.PoolTimeout,
    httpcore2.TimeoutException: httpx2.TimeoutException,
    httpcore2.ConnectError: httpx2.ConnectError,
    httpcore2.ReadError: httpx2.ReadError,
    httpcore2.WriteError: httpx2.WriteError,
    httpcore2.NetworkError: httpx2.NetworkError,
    httpcore2.ProxyError: httpx2.ProxyError,
    httpcore2.UnsupportedProtocol: httpx2.UnsupportedProtocol,
    httpcore2.LocalProtocolError: httpx2.LocalProtocolError,
    httpcore2.RemoteProtocolError: httpx2.RemoteProtocolError,
    httpcore2.ProtocolError: httpx2.ProtocolError,
}


class ProxyUnreachable(httpx2.ConnectError):
    """No connection to the proxy: nothing is known of the host behind it. The text is the proxy's host and port."""


def make_transports(
    outgoing: Outgoing, limits: httpx2.Limits
) -> tuple[httpx2.BaseTransport, dict[str, httpx2.BaseTransport | None]]:
    """(what makes direct connections, {URL pattern: what goes through its proxy, or None}). Raises OSError."""
    tls = make_tls_context(outgoing)
    direct = _Transport(httpcore2.ConnectionPool(network_backend=DeadlineBackend(), ssl_context=tls, **_bounds(limits)))
    proxied = {url: _through(url, tls, limits) for url in outgoing.proxies.values() if url is not None}
    return direct, {pattern: None if url is None else proxied[url] for pattern, url in outgoing.proxies.items()}


def _bounds(limits: httpx2.Limits) -> dict[str, Any]:
    return {
        "max_connections": limits.max_connections,
        "max_keepalive_connections": limits.max_keepalive_connections,
        "keepalive_expiry": limits.keepalive_expiry,
    }


def _through(url: str, tls: ssl.SSLContext, limits: httpx2.Limits) -> httpx2.BaseTransport:
    proxy = httpx2.Proxy(url)
    address, backend = _core_url(proxy.url), _ProxyBackend(proxy.url)
    if proxy.url.scheme.startswith("socks"):
        pool = httpcore2.SOCKSProxy(address, proxy.raw_auth, ssl_context=tls, network_backend=backend, **_bounds(limits))
        return _SocksTransport(pool, backend)
    return _Transport(
        httpcore2.HTTPProxy(
            address,
            proxy.raw_auth,
            ssl_context=tls,
            proxy_ssl_context=tls if proxy.url.scheme == "https" else None,
            network_backend=backend,
            **_bounds(limits),
        )
    )


class _ProxyBackend(DeadlineBackend):
    """Tells a proxy that is not there from a host that the proxy does not reach."""

    def __init__(self, proxy: httpx2.URL) -> None:
        super().__init__()
        self._proxy = proxy
        self.latest = threading.local()  # .stream: the latest of this thread

    def connect_tcp(self, *args: Any, **named: Any) -> httpcore2.NetworkStream:
        try:
            stream = super().connect_tcp(*args, **named)
        except (httpcore2.ConnectError, httpcore2.ConnectTimeout) as problem:
            raise ProxyUnreachable(self._proxy.netloc.decode()) from problem
        self.latest.stream = stream
        return stream


class _Body(httpx2.SyncByteStream):
    def __init__(self, chunks: Iterable[bytes], close: Callable[[], None]) -> None:
        self._chunks = chunks
        self.close = close  # type: ignore[method-assign]

    def __iter__(self) -> Iterator[bytes]:
        with _translated():
            yield from self._chunks


class _Transport(httpx2.BaseTransport):
    def __init__(self, pool: httpcore2.ConnectionPool) -> None:
        self._pool = pool

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        with _translated():
            answer = self._pool.handle_request(
                httpcore2.Request(
                    request.method,
                    _core_url(request.url),
                    headers=request.headers.raw,
                    content=request.stream,
                    extensions=request.extensions,
                )
            )
        return httpx2.Response(
            answer.status,
            headers=answer.headers,
            stream=_Body(answer.iter_stream(), answer.close),
            extensions=answer.extensions,
        )

    def close(self) -> None:
        self._pool.close()


class _SocksTransport(_Transport):
    """The library takes every answer of the proxy for one of SOCKS5, and leaves a connection open whose handshake failed."""

    def __init__(self, pool: httpcore2.ConnectionPool, backend: _ProxyBackend) -> None:
        super().__init__(pool)
        self._backend = backend

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        self._backend.latest.stream = None
        try:
            return super().handle_request(request)
        except Exception as problem:
            if self._backend.latest.stream is not None:
                self._backend.latest.stream.close()
            if isinstance(problem, (AssertionError, IndexError, ValueError, SOCKSError)):
                raise httpx2.ProxyError("it does not answer as SOCKS5 does") from None
            raise


def _core_url(url: httpx2.URL) -> httpcore2.URL:
    return httpcore2.URL(scheme=url.raw_scheme, host=url.raw_host, port=url.port, target=url.raw_path)


@contextmanager
def _translated() -> Iterator[None]:
    """The connections' faults as the client's, which has the same names for them."""
    try:
        yield
    except tuple(_FAULTS) as problem:
        fault = next(_FAULTS[kind] for kind in type(problem).__mro__ if kind in _FAULTS)
        raise fault(str(problem)) from problem

"""Starts the HTTP server (granian) for one of our apps. Knows no route."""

from __future__ import annotations

import multiprocessing
import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing.connection import wait
from typing import Any

from granian.constants import HTTPModes, Interfaces, Loops
from granian.http import HTTP1Settings
from granian.log import LogLevels
from granian.server.mp import MPServer

from shared.errors import SettingsError
from shared.infra.network import address_of, why_not_bound
from shared.infra.shutdown import aside, die_with_parent

_ENDING = (signal.SIGTERM, signal.SIGINT)
_PORT_SECONDS = 2.0
_HEADERS_MILLISECONDS = 10_000  # a sender that stalls in its headers is cut off as one that stalls in its body


class _Server(MPServer):
    def signal_handler_interrupt(self, *_: object, **__: object) -> None:
        """granian's own sets its event inside the handler: a second SIGTERM then found it locked, and nothing ever ended."""
        self.interrupt_signal = True
        aside(self.main_loop_interrupt.set)

    def _spawn_workers(self, *arguments: Any) -> None:
        with _holding_signals():
            super()._spawn_workers(*arguments)  # type: ignore[no-untyped-call]

    def _respawn_workers(self, *arguments: Any, **options: Any) -> None:
        with _holding_signals():
            super()._respawn_workers(*arguments, **options)


@contextmanager
def _holding_signals() -> Iterator[None]:
    """A process that is forked now gets a signal only when it has handlers of its own: its parent's would lose it."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, _ENDING)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _serve_in_child(*arguments: Any, **options: Any) -> None:
    """What a server process runs: until it serves, a signal simply ends it; and it never outlives the main process."""
    for number in _ENDING:
        signal.signal(number, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, _ENDING)
    die_with_parent(signal.SIGKILL)
    if (parent := multiprocessing.parent_process()) is not None:
        threading.Thread(target=_end_after, args=(parent.sentinel,), name="parent", daemon=True).start()
    MPServer._spawn_asgi_lifespan_worker(*arguments, **options)


def _end_after(sentinel: int) -> None:
    """Where the kernel does not tell (macOS). Settings may have changed since: nobody may be answered by the old ones."""
    wait([sentinel])
    os._exit(1)


def _claim(host: str, port: int) -> socket.socket:
    """Two servers would share the port: granian asks the kernel to let each of its processes listen. On Linux a name that only
    one program can have keeps out a second one that starts in the same moment. Raises SettingsError."""
    guard = socket.socket(socket.AF_UNIX)
    try:
        if sys.platform == "linux":
            guard.bind(f"\0tagship {address_of(host)} {port}")
    except OSError:
        guard.close()
        raise SettingsError([f"port {port} is in use; stop what listens there or choose another"]) from None
    return guard


def check_free(name: str, host: str, port: int) -> None:
    """Raise SettingsError when another program listens there. One that was killed just now may take a moment to go."""
    give_up = time.monotonic() + _PORT_SECONDS
    while (why := why_not_bound(host, port)) is not None:
        if time.monotonic() > give_up:
            raise SettingsError([f"{name if why.startswith('port') else 'HOST'}: {why}"])
        time.sleep(0.1)


def serve(factory: str, *, host: str, port: int, workers: int) -> None:
    """Serve `module:function` (a factory of an ASGI app) until SIGTERM or SIGINT. Blocks. Raises SettingsError."""
    guard = _claim(host, port)
    server = _Server(
        factory,
        factory=True,
        address=address_of(host),
        port=port,
        interface=Interfaces.ASGI,
        workers=workers,
        loop=Loops.auto,
        http=HTTPModes.http1,
        websockets=False,
        # Slow senders hold a place each while their body is read: there must be more places than slow senders.
        backlog=4096,
        backpressure=4096,
        http1_settings=HTTP1Settings(header_read_timeout=_HEADERS_MILLISECONDS, keep_alive=True),
        respawn_failed_workers=True,
        respawn_interval=1.0,
        workers_kill_timeout=10,  # requests take far less
        log_level=LogLevels.warn,
        log_dictconfig={"loggers": {"_granian": {"propagate": True}, "granian.access": {"propagate": True}}},
    )
    server.serve(spawn_target=_serve_in_child)
    guard.close()

"""Starts the HTTP server (granian) for one of our apps. Knows no route."""

from __future__ import annotations

from granian.constants import HTTPModes, Interfaces, Loops
from granian.http import HTTP1Settings
from granian.log import LogLevels
from granian.server.mp import MPServer

from shared.infra.shutdown import aside

_HEADERS_MILLISECONDS = 10_000  # a sender that stalls in its headers is cut off as one that stalls in its body


class _Server(MPServer):
    def signal_handler_interrupt(self, *_: object, **__: object) -> None:
        """granian's own sets its event inside the handler: a second SIGTERM then found it locked, and nothing ever ended."""
        self.interrupt_signal = True
        aside(self.main_loop_interrupt.set)


def serve(factory: str, *, host: str, port: int, workers: int) -> None:
    """Serve `module:function` (a factory of an ASGI app) until SIGTERM or SIGINT. Blocks."""
    server = _Server(
        factory,
        factory=True,
        address=host,
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
        # A process that is told to stop while it starts runs the handler it was forked with and never hears of it:
        # without a limit the server would wait for it for ever. Requests take far less.
        workers_kill_timeout=10,
        log_level=LogLevels.warn,
        log_dictconfig={"loggers": {"_granian": {"propagate": True}, "granian.access": {"propagate": True}}},
    )
    server.serve()

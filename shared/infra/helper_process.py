"""A process of its own for work that would hold the interpreter's lock: started on first need, and again if it died.

Frames go both ways: four bytes of length, then as many bytes. Knows nothing of the work.
"""

from __future__ import annotations

import contextlib
import os
import resource
import select
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import IO

_ROOT = Path(__file__).parents[2]
_PASSED_ON = ("PATH", "LANG", "LC_ALL", "LD_LIBRARY_PATH", "SYSTEMROOT", "TMPDIR")  # of the environment: no secret
_LENGTH = 4


class HelperDied(Exception):
    """The process ended before its answer did. `is_ours`: the work ended it, and would again. `is_late`: it was killed because
    it took too long, on a machine that may be busy. Else somebody killed it."""

    def __init__(self, message: str, *, is_ours: bool = False, is_late: bool = False) -> None:
        super().__init__(message)
        self.is_ours = is_ours
        self.is_late = is_late


class Helper:
    """`python -m module`, one piece of work at a time, whoever calls. It ends itself when nothing comes for a while."""

    def __init__(self, module: str, *, seconds: float) -> None:
        self._module = module
        self._seconds = seconds
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int | None:
        """None while none runs."""
        process = self._process
        return None if process is None or process.poll() is not None else process.pid

    def ask(self, frames: Sequence[bytes]) -> list[bytes]:
        """The frames of the answer, up to an empty one. Raises HelperDied; OSError where it cannot be started."""
        with self._lock:
            process = self._process
            if process is None or process.poll() is not None:
                self._end()
                process = self._process = self._start()
            is_late = threading.Event()

            def kill() -> None:
                is_late.set()
                process.kill()

            timer = threading.Timer(self._seconds, kill)
            timer.daemon = True
            timer.start()
            try:
                return self._talk(process, frames)
            except (OSError, EOFError):
                code = self._end()
                if is_late.is_set():
                    raise HelperDied(f"it took more than {self._seconds:g} s", is_late=True) from None
                raise HelperDied(f"its process ended with {code}", is_ours=code not in _BY_OTHERS) from None
            finally:
                timer.cancel()

    def close(self) -> None:
        """End the process, if one runs; the next call starts another."""
        with self._lock:
            self._end()

    def _end(self) -> int | None:
        process, self._process = self._process, None
        if process is None:
            return None
        process.kill()
        for stream in (process.stdin, process.stdout):
            with contextlib.suppress(OSError):  # what was still to be written
                stream.close()  # type: ignore[union-attr]
        return process.wait()

    def _talk(self, process: subprocess.Popen[bytes], frames: Sequence[bytes]) -> list[bytes]:
        assert process.stdin is not None  # noqa: S101
        assert process.stdout is not None  # noqa: S101
        for frame in frames:
            write_frame(process.stdin, frame)
        process.stdin.flush()
        found = []
        while frame := read_frame(process.stdout):
            found.append(frame)
        return found

    def _start(self) -> subprocess.Popen[bytes]:
        environ = {name: os.environ[name] for name in _PASSED_ON if name in os.environ}
        process = subprocess.Popen(  # noqa: S603  our own module
            [sys.executable, "-m", self._module], cwd=_ROOT, env=environ, stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        threading.Thread(target=process.wait, daemon=True, name="helper-reaper").start()  # no zombie stays
        return process


_BY_OTHERS = (0, -signal.SIGKILL, -signal.SIGTERM, -signal.SIGINT, -signal.SIGHUP)  # 0: it ended as idle just now


def write_frame(stream: IO[bytes], frame: bytes) -> None:
    stream.write(len(frame).to_bytes(_LENGTH, "big"))
    stream.write(frame)


def read_frame(stream: IO[bytes]) -> bytes:
    """Raises EOFError where the stream ends before the frame does."""
    size = int.from_bytes(_exactly(stream, _LENGTH), "big")
    return _exactly(stream, size)


def _exactly(stream: IO[bytes], size: int) -> bytes:
    found = stream.read(size)
    if len(found) < size:
        raise EOFError
    return found


def serve(
    answer: Callable[[Callable[[], bytes]], Iterable[bytes]], *, memory: int, cpu_seconds: int, idle_seconds: float
) -> None:
    """The helper's own side: `answer` takes what reads the next frame, and gives the frames to send, none of them empty.

    Returns when nothing came for a while, or when whoever asked is gone. `memory`: bytes of address space at most;
    `cpu_seconds`: of one piece of work.
    """
    resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group: our parent ends us by closing the pipe
    source, sink = sys.stdin.buffer, sys.stdout.buffer
    while select.select([source], [], [], idle_seconds)[0]:
        used = int(time.process_time()) + 1
        resource.setrlimit(resource.RLIMIT_CPU, (used + cpu_seconds, resource.RLIM_INFINITY))  # else SIGXCPU
        try:
            for frame in answer(lambda: read_frame(source)):
                write_frame(sink, frame)
            write_frame(sink, b"")
            sink.flush()
        except (EOFError, BrokenPipeError):
            return

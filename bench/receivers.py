"""Starts receivers to be measured: ours, the bare limit, and the peers. Each in processes of its own, on the loopback."""

from __future__ import annotations

import itertools
import json
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import redis

from bench.blast import Load, blast
from bench.server import Served
from bench.webhooks import PATH, SECRET, body, requests
from shared.infra.database import make_engine
from shared.ledger.tables import SCHEMA
from webhook.local.broker import broker_command
from webhook.local.environment import free_port

CONNECTIONS = 64
OPS_TOKEN = "token-of-the-operators-in-the-benchmark"
_NODE = Path(__file__).parent / "peers" / "node"
Sender = Callable[[], Load]


@contextmanager
def broker(folder: Path) -> Iterator[str]:
    """A Redis-compatible server of our own; its URL."""
    port = free_port()
    command, _ = broker_command(port, folder)
    process = subprocess.Popen(command)
    try:
        client = redis.Redis(port=port)
        while True:
            try:
                client.ping()
                break
            except redis.ConnectionError:
                time.sleep(0.05)
        yield f"redis://127.0.0.1:{port}/0"
    finally:
        process.terminate()
        process.wait(10)


@contextmanager
def ours(folder: Path, database_url: str, broker_url: str, *, workers: int = 2) -> Iterator[str]:
    """The receiver as production runs it; its address."""
    SCHEMA.upgrade(make_engine(database_url))
    port = free_port()
    environ = {
        **_environ(broker_url),
        "DATA_DIR": str(folder),
        "DATABASE_URL": database_url,
        "PORT": str(port),
        "WEB_CONCURRENCY": str(workers),
        "BROKER_URL": broker_url,
        "LOG_FORMAT": "json",
        "LOG_LEVEL": "INFO",
    }
    with (
        (folder / f"receiver-{port}.log").open("wb") as log,
        Served(["-m", "webhook", "serve"], environ, port, log=log) as address,
    ):
        yield address


@contextmanager
def bare(_: Path) -> Iterator[str]:
    port = free_port()
    with Served(["-m", "bench.peers.bare_receiver", str(port)], {"GITHUB_WEBHOOK_SECRET": SECRET}, port) as address:
        yield address


@contextmanager
def handwritten(broker_url: str) -> Iterator[str]:
    port = free_port()
    command = ["-m", "gunicorn", "--workers", "2", "--bind", f"127.0.0.1:{port}", "--log-level", "warning"]
    with Served([*command, "bench.peers.handwritten:app"], _environ(broker_url), port) as address:
        yield address


@contextmanager
def node(folder: Path, broker_url: str, database_url: str | None) -> Iterator[str]:
    """The receiver in Node; with a database each delivery is inserted before it is queued. Needs `node` and `npm`."""
    home = folder / "node"
    if not home.exists():
        shutil.copytree(_NODE, home)
        command = ["npm", "install", "--silent", "--no-audit", "--no-fund", "--ignore-scripts"]
        subprocess.run(command, cwd=home, check=True)
    port = free_port()
    environ = {**_environ(broker_url), "PORT": str(port), "DATABASE_URL": database_url or ""}
    with Served([str(home / "receiver.mjs")], environ, port, program="node") as address:
        yield address


@contextmanager
def go(folder: Path) -> Iterator[str]:
    """adnanh/webhook, which runs a program for each request and keeps nothing. Needs `webhook`."""
    rule = {"type": "payload-hmac-sha256", "secret": SECRET, "parameter": {"source": "header", "name": "X-Hub-Signature-256"}}
    hook = {"id": "github", "execute-command": "/bin/true", "trigger-rule": {"match": rule}}
    hooks = folder / "hooks.json"
    hooks.write_text(json.dumps([hook]), encoding="utf-8")
    port = free_port()
    command = ["-hooks", str(hooks), "-ip", "127.0.0.1", "-port", str(port), "-urlprefix", "webhooks"]
    with Served(command, {}, port, program="webhook", health="/") as address:
        yield address


def sender(address: str, count: int, *, connections: int = CONNECTIONS, template: bytes | None = None) -> Sender:
    """Sends `count` new pushes each time it is called."""
    endless = requests(template or body())

    def send() -> Load:
        prepared = list(itertools.islice(endless, count))
        return blast(address + PATH, prepared, connections=connections)

    return send


def _environ(broker_url: str) -> Mapping[str, str]:
    return {
        "GITHUB_WEBHOOK_SECRET": SECRET,
        "REDIS_URL": broker_url,
        "RELEASES_URL": "http://127.0.0.1:9/",
        "SENTRY_URL": "http://127.0.0.1:9",
        "SENTRY_AUTH_TOKEN": "token-of-the-benchmark",
        "SENTRY_ORG": "local",
        "SENTRY_PROJECT": "app",
        "OPS_TOKEN": OPS_TOKEN,
    }

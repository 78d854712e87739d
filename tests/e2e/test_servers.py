"""Servers as a platform starts them: they end when they are told to, and leave nothing that goes on answering."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from shared.infra.database import make_engine
from shared.ledger.tables import SCHEMA
from tests.conftest import Broker
from tests.e2e.running import ROOT, SECRETS, fetch, wait_until
from tests.migrated import migrate
from webhook.local.environment import free_port
from webhook.local.stack import accepts

pytestmark = pytest.mark.world
_LINGERS = 3.0


class Place:
    """A folder with a ledger, a broker and free ports."""

    def __init__(self, folder: Path, broker: Broker) -> None:
        migrate(make_engine(f"sqlite:///{folder / 'tagship.sqlite3'}"), SCHEMA)
        self.port = free_port()
        kept = {name: value for name, value in os.environ.items() if name in ("PATH", "HOME", "LANG", "TMPDIR")}
        own = {"DATA_DIR": str(folder), "PORT": str(self.port), "RELEASES_PORT": str(free_port()), "BROKER_URL": broker.url}
        more = {"WEB_CONCURRENCY": "2", "SENTRY_AUTH_TOKEN": "t", "GITHUB_API_URL": "off", "LOG_FORMAT": "json"}
        self.environ = {**kept, **SECRETS, **own, **more}

    @contextmanager
    def run(self, *words: str, **environ: str) -> Iterator[subprocess.Popen[str]]:
        process = subprocess.Popen(
            [sys.executable, "-m", *words],
            cwd=ROOT,
            env={**self.environ, **environ},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        try:
            yield process
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
            process.communicate()


@pytest.fixture
def place(tmp_path: Path, broker: Broker) -> Place:
    return Place(tmp_path, broker)


def test_a_killed_server_leaves_no_process_that_answers_and_a_second_one_is_refused(place: Place) -> None:
    with place.run("webhook", "serve") as first:
        wait_until(lambda: accepts("127.0.0.1", place.port), 60)
        assert fetch(f"http://127.0.0.1:{place.port}/healthz", {}, None)[0] == 200
        with place.run("webhook", "serve") as second:
            said, _ = second.communicate(timeout=60)
            assert second.returncode == 2
            assert said.splitlines() == [
                f"tagship: PORT: port {place.port} is in use; stop what listens there or choose another"
            ]
        assert fetch(f"http://127.0.0.1:{place.port}/healthz", {}, None)[0] == 200
        first.kill()
        first.wait()
        wait_until(lambda: not accepts("127.0.0.1", place.port), _LINGERS)


@pytest.mark.parametrize("words", ["webhook serve", "releases serve", "worker run", "worker sweep"])
@pytest.mark.parametrize("after", [0.3, 1.0, 2.0, 4.0])
def test_sigterm_while_it_starts_is_obeyed_at_once(place: Place, words: str, after: float) -> None:
    with place.run(*words.split()) as process:
        time.sleep(after)
        process.send_signal(signal.SIGTERM)
        began = time.monotonic()
        process.wait(30)
        assert time.monotonic() - began < _LINGERS


@pytest.mark.parametrize(
    ("host", "address"), [("localhost", "127.0.0.1"), ("[::]", "::1"), ("::1", "::1"), ("0.0.0.0", "127.0.0.1")]
)
def test_a_host_may_be_a_name_or_have_brackets(place: Place, host: str, address: str) -> None:
    with place.run("webhook", "serve", HOST=host) as process:
        wait_until(lambda: accepts(address, place.port) or process.poll() is not None, 60)
        assert process.poll() is None


@pytest.mark.parametrize("host", ["no.such.host.invalid", "192.0.2.1", "a" * 70])
def test_a_host_that_is_not_of_this_machine_is_one_sentence(place: Place, host: str) -> None:
    with place.run("webhook", "serve", HOST=host) as process:
        said, _ = process.communicate(timeout=60)
        assert process.returncode == 2
        assert len(said.splitlines()) == 1
        assert said.startswith(f"tagship: HOST: {host}")

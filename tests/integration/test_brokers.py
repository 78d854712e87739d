"""Brokers that people have besides one Redis on a port: sockets, Sentinel, RabbitMQ with quorum queues."""

from __future__ import annotations

import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from shared.broker import check_broker, make_celery, publish, queue_length
from tests.drill.parts import RABBITMQ, RabbitMq
from webhook.local.broker import find_valkey
from webhook.local.environment import free_port
from webhook.local.stack import accepts

_QUIET = ("--save", "", "--appendonly", "no", "--loglevel", "warning", "--daemonize", "no", "--bind", "127.0.0.1")


@contextmanager
def server(*command: str, port: int) -> Iterator[None]:
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 30
    try:
        while not accepts("127.0.0.1", port):
            assert process.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.02)
        yield
    finally:
        process.kill()
        process.wait()


def takes_a_message(url: str) -> None:
    app = make_celery(url)
    try:
        check_broker(app)
        before = queue_length(app)
        publish(app, ["a" * 32], is_busy=False)
        assert queue_length(app) == before + 1
    finally:
        app.close()


def test_a_socket(tmp_path: Path) -> None:
    valkey, port = find_valkey(), free_port()
    if valkey is None:
        pytest.skip("no Valkey for this machine")
    with server(str(valkey), *_QUIET, "--port", str(port), "--unixsocket", str(tmp_path / "s"), port=port):
        takes_a_message(f"redis+socket://{tmp_path / 's'}?virtual_host=2")


@pytest.mark.world
@pytest.mark.skipif(shutil.which("redis-sentinel") is None, reason="no Sentinel here: install Debian's redis-sentinel")
def test_the_master_that_sentinels_name(tmp_path: Path) -> None:
    port, watching, absent = free_port(), free_port(), free_port()
    config = tmp_path / "sentinel.conf"
    config.write_text(f"port {watching}\nbind 127.0.0.1\ndir {tmp_path}\nsentinel monitor mymaster 127.0.0.1 {port} 1\n")
    with (
        server("redis-server", *_QUIET, "--port", str(port), "--dir", str(tmp_path), port=port),
        server("redis-sentinel", str(config), port=watching),
    ):
        takes_a_message(f"sentinel://127.0.0.1:{absent};sentinel://127.0.0.1:{watching}/1?master_name=mymaster")


@pytest.mark.world
@pytest.mark.skipif(not RABBITMQ.exists(), reason="no RabbitMQ here: install Debian's rabbitmq-server")
def test_a_virtual_host_whose_queues_are_quorum_queues(tmp_path: Path) -> None:
    rabbit = RabbitMq(tmp_path)
    rabbit.start()
    try:
        for words in (
            ("add_vhost", "quorum", "--default-queue-type", "quorum"),
            ("set_permissions", "-p", "quorum", "guest", ".*", ".*", ".*"),
        ):
            command = (str(RABBITMQ.with_name("rabbitmqctl")), "-n", rabbit.node, *words)
            subprocess.run(command, env=rabbit.environ, check=True, capture_output=True)
        for url in (rabbit.url, f"{rabbit.url[:-1]}quorum"):
            takes_a_message(url)
    finally:
        rabbit.stop()

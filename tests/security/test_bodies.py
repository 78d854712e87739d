"""What bodies that nobody vouches for may cost: no memory that outlives their answer, and none at all without a signature."""

from __future__ import annotations

import asyncio
import gc
import socket
import sys
from collections.abc import Iterator, Mapping
from typing import Any

import pytest
from sqlalchemy.exc import DataError, OperationalError

from shared.infra.asgi import FlaskInAsgi
from shared.ledger import deliveries
from tests.security import memory_attack
from tests.security.door import Door, signed, tag
from webhook.http import problems
from webhook.http.client_address import sender_of
from webhook.intake import fast_path
from webhook.local.sample_webhooks import Sample

Event = dict[str, Any]
_LARGE = 1_100_000


class Entry:
    """The receiver behind the server's entry, as `create_asgi` puts them together, in an event loop of its own."""

    def __init__(self, door: Door) -> None:
        intake = door.app.extensions["intake"]
        self._group_commit = intake.group_commit
        self._app = FlaskInAsgi(
            door.app,
            refuse=problems.refuse_body,
            quick=fast_path.quickly(lambda: intake, sender_of(())),
            admit=fast_path.admit(lambda: intake, sender_of(())),
        )
        self._runner = asyncio.Runner()

    def send(self, path: str, headers: Mapping[str, str], *chunks: bytes) -> tuple[int, int]:
        """(status, how many chunks were read before the answer)."""
        answered: list[tuple[int, int]] = []
        left = list(chunks)

        async def receive() -> Event:
            return {"type": "http.request", "body": left.pop(0), "more_body": bool(left)}

        async def sent(message: Any) -> None:
            if message["type"] == "http.response.start":
                answered.append((message["status"], len(chunks) - len(left)))

        raw = [(name.lower().encode(), value.encode()) for name, value in headers.items()]
        scope = {
            "type": "http",
            "method": "POST",
            "path": path,
            "query_string": b"",
            "headers": raw,
            "client": ("192.0.2.9", 1),
        }

        async def ask() -> None:
            await self._app(scope, receive, sent)
            if (task := self._group_commit._task) is not None:  # it measures on after the answer
                await task

        self._runner.run(ask())
        return answered[0]

    def left_over(self, path: str, headers: Mapping[str, str], body: bytes) -> tuple[int, int]:
        """(status, how often the body is still held once it is answered), while Python collects no garbage."""
        gc.disable()
        try:
            before = sys.getrefcount(body)
            status, _ = self.send(path, headers, body)
            return status, sys.getrefcount(body) - before
        finally:
            gc.enable()

    def close(self) -> None:
        self._runner.run(self._group_commit.close())
        self._runner.close()


@pytest.fixture
def entry(door: Door) -> Iterator[Entry]:
    made = Entry(door)
    yield made
    made.close()


def unsigned(sample: Sample) -> dict[str, str]:
    return {name: value for name, value in sample.headers.items() if not name.startswith("X-Hub")}


def test_a_webhook_without_signature_or_token_is_refused_before_its_body_is_read(door: Door, entry: Entry) -> None:
    assert entry.send("/webhooks/github", unsigned(tag()), b"x" * 100, b"x") == (401, 0)
    gitlab = {"X-Gitlab-Event": "Push Hook", "Content-Type": "application/json", "Idempotency-Key": "of-gitlab"}
    assert entry.send("/webhooks/gitlab", gitlab, b"x" * 100, b"x") == (401, 0)
    assert [(row.reason, row.detail) for row in door.refused] == [
        ("signature_missing", "signature missing"),
        ("signature_missing", "token missing"),
    ]


@pytest.mark.parametrize("path", ["/api/v1/explain", "/sign-in", "/webhooks/nobody", "/nothing"])
def test_whoever_does_not_say_who_they_are_may_send_a_small_body_alone(entry: Entry, path: str) -> None:
    assert entry.send(path, {}, b"x" * 65_536, b"x", b"x")[0] == 413


_REFUSED = [
    ("false signature", 401, lambda body: signed(body, "wrong")),
    ("false token", 401, lambda body: Sample("gitlab", {"X-Gitlab-Token": "wrong", "Content-Type": "application/json"}, body)),
    ("no JSON", 400, lambda body: signed(body)),
    ("no type that is read", 415, lambda body: signed(body, Content_Type="text/plain")),
]


@pytest.mark.parametrize("size", [100, 200_000, _LARGE])
@pytest.mark.parametrize(("name", "status", "make"), _REFUSED, ids=[name for name, *_ in _REFUSED])
def test_a_body_is_gone_with_its_answer(entry: Entry, size: int, name: str, status: int, make: Any) -> None:
    """Also while Python collects no garbage: nothing that holds a body is part of a cycle."""
    sample = make(b"x" * size)
    assert entry.left_over(f"/webhooks/{sample.provider}", sample.headers, sample.body) == (status, 0)


@pytest.mark.parametrize("size", [10, _LARGE])
@pytest.mark.parametrize(
    "fault", [OperationalError("INSERT", {}, Exception("gone")), DataError("INSERT", {}, Exception("odd"))]
)
def test_a_body_that_could_not_be_stored_is_gone_with_its_answer(
    entry: Entry, monkeypatch: pytest.MonkeyPatch, size: int, fault: Exception
) -> None:
    sample = signed(tag().body + b" " * size)
    assert entry.send("/webhooks/github", sample.headers, sample.body)[0] == 202  # the next one is not new: stored singly

    def fails(*_: object) -> None:
        raise type(fault)("INSERT", {}, Exception("on purpose"))

    monkeypatch.setattr(deliveries, "accept", fails)
    assert entry.left_over("/webhooks/github", sample.headers, sample.body) == (503, 0)


@pytest.mark.parametrize("path", ["/api/v1/explain", "/rules/try", "/sign-in"])
def test_a_body_of_any_other_route_is_gone_with_its_answer(entry: Entry, path: str) -> None:
    headers = {"Content-Type": "application/x-www-form-urlencoded", "Authorization": "Bearer nothing"}
    status, held = entry.left_over(path, headers, b"config=" + b"x" * 60_000)
    assert (status // 100 in (3, 4), held) == (True, 0)


# --- over a socket ----------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def port(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    with memory_attack.receiver(tmp_path_factory.mktemp("receiver")) as (port, _):
        yield port


def ask(port: int, head: str, body: bytes = b"", *, ends: bool = False) -> bytes:
    """The answer's first bytes, as a sender sees it that writes everything before it reads."""
    with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
        connection.sendall(f"POST /webhooks/github HTTP/1.1\r\nHost: a\r\n{head}\r\n".encode())
        connection.sendall(body)
        if ends:
            connection.shutdown(socket.SHUT_WR)
        return connection.recv(65_536)


_SIGNED = "Content-Type: application/json\r\nX-Hub-Signature-256: sha256=00\r\n"


def test_the_answer_reaches_a_sender_whose_body_nobody_reads(port: int) -> None:
    answer = ask(port, "Content-Length: 20000000\r\n", b"x" * 20_000_000)
    assert answer.startswith(b"HTTP/1.1 401 ")
    assert b"\r\nconnection: close\r\n" in answer
    assert ask(port, f"{_SIGNED}Content-Length: 30000000\r\n", b"x" * 26_000_000).startswith(b"HTTP/1.1 413 ")


def test_the_answer_comes_before_the_body(port: int) -> None:
    assert ask(port, "Content-Length: 20000000\r\n").startswith(b"HTTP/1.1 401 ")


@pytest.mark.parametrize(
    ("head", "body", "ends"),
    [
        ("Transfer-Encoding: chunked\r\n", b"zz\r\nhello\r\n0\r\n\r\n", False),
        ("Transfer-Encoding: chunked\r\n", b"5\r\nhelloworld\r\n0\r\n\r\n", False),
        ("Transfer-Encoding: chunked\r\n", b"fffffffffffffffff\r\nhello", False),
        ("Transfer-Encoding: chunked\r\n", b"5\r\nhel", True),
        ("Content-Length: 100\r\n", b"abc", True),
        ("Transfer-Encoding: gzip, chunked\r\n", b"0\r\n\r\n", False),
        ("Transfer-Encoding: Chunked\r\n", b"0\r\n\r\n", False),
        ("Transfer-Encoding: chunked, chunked\r\n", b"0\r\n\r\n", False),
        ("Transfer-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n", b"0\r\n\r\n", False),
        ("Transfer-Encoding: identity\r\n", b"", False),
    ],
)
def test_a_body_that_cannot_be_read_to_its_end_is_400(port: int, head: str, body: bytes, ends: bool) -> None:
    assert ask(port, _SIGNED + head, body, ends=ends).startswith(b"HTTP/1.1 400 ")


@pytest.mark.world
@pytest.mark.parametrize("connections", [4, 40])
def test_large_bodies_that_nobody_vouches_for_take_a_bounded_memory_and_give_it_back(connections: int) -> None:
    for case in memory_attack.CASES:
        found = memory_attack.attack(case, connections)
        print(found)
        assert found.peak < 450
        assert found.after < 150
        assert set(found.answers) <= {"401", "503"}

"""The way from the server into Flask, with a scripted sender: caps, stalls, disconnects, headers, lifespan."""

from __future__ import annotations

import asyncio
import io
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from shared.infra.asgi import Answer, FlaskInAsgi, Limits, Refusal
from shared.infra.bodies import FileBody

Event = dict[str, Any]
DISCONNECT: Event = {"type": "http.disconnect"}
Environ = dict[str, Any]


class Seen:
    """A WSGI app that keeps what it got and answers what it is told."""

    def __init__(self, answer: Iterable[bytes] = (b"do", b"ne")) -> None:
        self.environs: list[Environ] = []
        self.bodies: list[bytes] = []
        self.closed = 0
        self._answer = answer

    def __call__(self, environ: Environ, start_response: Callable[..., Any]) -> Iterable[bytes]:
        self.environs.append(dict(environ))  # the entry empties its own
        self.bodies.append(environ["wsgi.input"].read())
        start_response("202 ACCEPTED", [("Content-Type", "text/plain"), ("X-Echo", "größe")])
        return self

    def __iter__(self) -> Any:
        return iter(self._answer)

    def close(self) -> None:
        self.closed += 1


class Sender:
    """Hands out scripted events; then it says nothing more, as a sender that stalls."""

    def __init__(self, *events: Event) -> None:
        self._events = list(events)

    async def __call__(self) -> Event:
        if self._events:
            return self._events.pop(0)
        await asyncio.Event().wait()
        raise AssertionError("unreachable")


def chunk(body: bytes, more: bool = False) -> Event:
    return {"type": "http.request", "body": body, "more_body": more}


def scope(*headers: tuple[bytes, bytes], **fields: Any) -> Event:
    return {
        "type": "http",
        "method": "POST",
        "path": "/webhooks/github",
        "raw_path": b"/webhooks/github",
        "query_string": b"a=1&b=%C3%A4",
        "headers": list(headers),
        "client": ("192.0.2.1", 4000),
        "server": ("tagship.acme.test", 443),
        "scheme": "https",
        "http_version": "1.1",
        **fields,
    }


def refuse(refusal: Refusal) -> tuple[list[tuple[str, str]], bytes]:
    return [("Content-Type", "application/problem+json")], refusal.detail.encode()


def door(app: Any, **fields: Any) -> FlaskInAsgi:
    limits = replace(fields.pop("limits", Limits()), linger_seconds=0.01)
    return FlaskInAsgi(app, refuse=refuse, threads=2, limits=limits, **fields)


async def ask(asgi: FlaskInAsgi, sender: Sender, asked: Event | None = None) -> list[Event]:
    sent: list[Event] = []

    async def send(message: Any) -> None:
        sent.append(dict(message))

    await asgi(asked or scope(), sender, send)
    return sent


def run(asgi: FlaskInAsgi, *events: Event, asked: Event | None = None) -> list[Event]:
    return asyncio.run(ask(asgi, Sender(*events), asked))


def status_and_body(sent: list[Event]) -> tuple[int, bytes]:
    start, body = sent
    assert (start["type"], body["type"], body["more_body"]) == ("http.response.start", "http.response.body", False)
    return start["status"], body["body"]


# --- bodies ----------------------------------------------------------------------------------------------------------


def test_the_app_gets_the_body_and_its_answer_comes_back_whole() -> None:
    app = Seen()
    sent = run(door(app), chunk(b"{}"))
    assert status_and_body(sent) == (202, b"done")
    assert sent[0]["headers"] == [(b"content-type", b"text/plain"), (b"x-echo", "größe".encode("latin-1"))]
    assert (app.bodies, app.closed) == ([b"{}"], 1)


def test_a_body_in_pieces_is_joined_and_its_length_told() -> None:
    app = Seen()
    run(door(app), chunk(b'{"a"', more=True), chunk(b"", more=True), chunk(b": 1", more=True), chunk(b"}"))
    assert app.bodies == [b'{"a": 1}']
    assert app.environs[0]["CONTENT_LENGTH"] == "8"


def test_no_body_is_an_empty_body() -> None:
    app = Seen()
    run(door(app), {"type": "http.request"})
    assert (app.bodies, app.environs[0]["CONTENT_LENGTH"]) == ([b""], "0")


def test_a_body_of_exactly_the_cap_passes() -> None:
    app = Seen()
    asked = scope((b"content-length", b"10"))
    run(door(app, limits=Limits(max_body=10)), chunk(b"12345", more=True), chunk(b"67890"), asked=asked)
    assert app.bodies == [b"1234567890"]


def test_a_body_announced_beyond_the_cap_is_refused_unread() -> None:
    app = Seen()
    sent = run(door(app, limits=Limits(max_body=10)), asked=scope((b"content-length", b"11")))
    assert status_and_body(sent) == (413, b"the body is larger than 10 bytes")
    assert (b"connection", b"close") in sent[0]["headers"]
    assert app.bodies == []


@pytest.mark.parametrize(
    "announced", [(), ((b"content-length", b"1"),), ((b"content-length", b"-5"),), ((b"transfer-encoding", b"chunked"),)]
)
def test_a_body_that_grows_beyond_the_cap_is_refused_whatever_was_announced(announced: tuple[tuple[bytes, bytes], ...]) -> None:
    app = Seen()
    sent = run(
        door(app, limits=Limits(max_body=10)), chunk(b"123456", more=True), chunk(b"78901", more=True), asked=scope(*announced)
    )
    assert status_and_body(sent)[0] == 413
    assert app.bodies == []


def test_an_announced_length_of_many_digits_is_refused_and_no_fault_of_ours() -> None:
    assert status_and_body(run(door(Seen()), asked=scope((b"content-length", b"9" * 6_000))))[0] == 413


def test_a_sender_that_stalls_is_cut_off() -> None:
    app = Seen()
    sent = run(door(app, limits=Limits(stall_seconds=0.01)), chunk(b"{", more=True))
    status, said = status_and_body(sent)
    assert status == 408
    assert b"1 bytes" in said
    assert app.bodies == []


def test_a_sender_that_says_nothing_at_all_is_cut_off() -> None:
    assert status_and_body(run(door(Seen(), limits=Limits(stall_seconds=0.01))))[0] == 408


def test_a_body_that_ends_early_is_400_and_reaches_no_app() -> None:
    app = Seen()
    for script in ((chunk(b"{", more=True), DISCONNECT), (DISCONNECT,)):
        sent = run(door(app), *script)
        assert status_and_body(sent) == (400, b"the body ended early, or its chunks cannot be read")
        assert (b"connection", b"close") in sent[0]["headers"]
    assert app.bodies == []


@pytest.mark.parametrize(
    "encodings",
    [(b"gzip, chunked",), (b"Chunked",), (b"chunked,chunked",), (b"gzip", b"chunked"), (b"chunked", b"gzip"), (b"",)],
)
def test_a_transfer_encoding_other_than_chunked_is_400(encodings: tuple[bytes, ...]) -> None:
    app = Seen()
    sent = run(door(app), chunk(b"{}"), asked=scope(*((b"transfer-encoding", encoding) for encoding in encodings)))
    assert status_and_body(sent) == (400, b"Transfer-Encoding must be chunked or absent")
    assert app.bodies == []


def test_what_is_answered_before_the_body_is_answered_before_it_comes_and_the_body_is_dropped() -> None:
    async def answer() -> Answer:
        return 401, [], b"no"

    async def told() -> tuple[list[Event], int]:
        asgi = door(app, admit=lambda _, headers: answer())
        body = Sender(*[chunk(b"x" * 1_000, more=True)] * 20, chunk(b""), chunk(b"of the next request"))
        return await ask(asgi, body), len(body._events)

    app = Seen()
    sent, left = asyncio.run(told())
    assert status_and_body(sent) == (401, b"no")
    assert (b"connection", b"close") in sent[0]["headers"]
    assert (left, app.bodies) == (1, [])


def test_a_body_that_nobody_wants_is_dropped_up_to_a_bound() -> None:
    async def left() -> int:
        sender = Sender(*[chunk(b"x" * 976, more=True)] * 50)
        await ask(door(Seen(), limits=Limits(max_body=5_000)), sender, scope((b"content-length", b"50000")))
        return len(sender._events)

    assert asyncio.run(left()) == 47


def test_a_body_may_be_admitted_up_to_a_size_of_its_own() -> None:
    asgi = door(Seen(), admit=lambda _, headers: 5)
    assert run(asgi, chunk(b"12345"))[0]["status"] == 202
    assert run(asgi, chunk(b"123456"))[0]["status"] == 413


def test_bodies_that_together_are_too_much_are_refused_for_now() -> None:
    async def two() -> tuple[list[Event], list[Event]]:
        asgi = door(Seen(), limits=Limits(max_buffered=15, stall_seconds=0.05))
        slow = asyncio.create_task(ask(asgi, Sender(chunk(b"1234567890", more=True))))
        await asyncio.sleep(0)
        return await ask(asgi, Sender(chunk(b"123456"))), await slow

    refused, slow = asyncio.run(two())
    assert status_and_body(refused) == (503, b"too many bodies are being read at once; try again")
    assert status_and_body(slow)[0] == 408


def test_what_was_read_is_given_back_after_every_end() -> None:
    async def many() -> list[int]:
        asgi = door(Seen(), limits=Limits(max_body=12, max_buffered=15, stall_seconds=0.01))
        scripts = [
            (chunk(b"1234567890"),),
            (chunk(b"1234567890", more=True), DISCONNECT),
            (chunk(b"1234567890", more=True),),
            (chunk(b"1234567890123"),),
            (chunk(b"1234567890", more=True), chunk(b"12")),
        ]
        answers = [await ask(asgi, Sender(*script)) for script in scripts * 3]
        return [status_and_body(sent)[0] for sent in answers if sent]

    assert asyncio.run(many()) == [202, 400, 408, 413, 202] * 3


def test_an_app_that_fails_gives_its_body_back_too() -> None:
    def failing(_: Environ, __: object) -> Iterable[bytes]:
        raise RuntimeError("on purpose")

    async def twice() -> None:
        asgi = door(failing, limits=Limits(max_buffered=15))
        for _ in range(3):
            with pytest.raises(RuntimeError, match="on purpose"):
                await ask(asgi, Sender(chunk(b"1234567890")))

    asyncio.run(twice())


def test_a_slow_sender_keeps_no_other_from_its_answer() -> None:
    async def race() -> tuple[bool, list[Event]]:
        asgi = door(Seen(), limits=Limits(stall_seconds=30))
        slow = [asyncio.create_task(ask(asgi, Sender(chunk(b"{", more=True)))) for _ in range(50)]
        await asyncio.sleep(0)
        answered = await ask(asgi, Sender(chunk(b"{}")))
        still_waiting = not any(task.done() for task in slow)
        for task in slow:
            task.cancel()
        await asyncio.gather(*slow, return_exceptions=True)
        return still_waiting, answered

    still_waiting, answered = asyncio.run(race())
    assert still_waiting
    assert status_and_body(answered)[0] == 202


# --- headers and environ ---------------------------------------------------------------------------------------------


def environ_of(*headers: tuple[bytes, bytes], **fields: Any) -> Environ:
    app = Seen()
    run(door(app), chunk(b""), asked=scope(*headers, **fields))
    return app.environs[0]


def test_the_environ_tells_the_request() -> None:
    environ = environ_of((b"content-type", b"application/json"), (b"x-github-event", b"push"))
    wanted = {
        "REQUEST_METHOD": "POST",
        "SCRIPT_NAME": "",
        "PATH_INFO": "/webhooks/github",
        "QUERY_STRING": "a=1&b=%C3%A4",
        "CONTENT_TYPE": "application/json",
        "HTTP_X_GITHUB_EVENT": "push",
        "REMOTE_ADDR": "192.0.2.1",
        "SERVER_NAME": "tagship.acme.test",
        "SERVER_PORT": "443",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "wsgi.url_scheme": "https",
    }
    assert {name: environ[name] for name in wanted} == wanted


def test_a_header_with_an_underscore_cannot_pass_for_the_one_with_a_hyphen() -> None:
    environ = environ_of((b"x_hub_signature_256", b"forged"), (b"x-hub_signature-256", b"forged"))
    assert "HTTP_X_HUB_SIGNATURE_256" not in environ
    assert "forged" not in environ.values()


def test_a_header_sent_twice_is_joined_so_that_neither_hides_the_other() -> None:
    assert environ_of((b"x-gitlab-token", b"a"), (b"x-gitlab-token", b"b"))["HTTP_X_GITLAB_TOKEN"] == "a,b"


def test_the_announced_length_and_encoding_are_replaced_by_the_real_ones() -> None:
    environ = environ_of((b"content-length", b"5"), (b"transfer-encoding", b"chunked"))
    assert environ["CONTENT_LENGTH"] == "0"
    assert not {"HTTP_CONTENT_LENGTH", "HTTP_TRANSFER_ENCODING"} & set(environ)


def test_bytes_beyond_ascii_reach_the_app_as_they_were_sent() -> None:
    environ = environ_of((b"x-gitlab-token", "schlüssel".encode()), path="/größe")
    assert environ["HTTP_X_GITLAB_TOKEN"].encode("latin-1") == "schlüssel".encode()
    assert environ["PATH_INFO"].encode("latin-1") == "/größe".encode()


def test_a_scope_that_leaves_things_out_is_no_fault() -> None:
    bare = scope()
    for name in ("client", "server", "raw_path", "scheme", "http_version"):
        del bare[name]
    app = Seen()
    assert status_and_body(run(door(app), chunk(b""), asked=bare))[0] == 202
    assert (app.environs[0]["REMOTE_ADDR"], app.environs[0]["SERVER_NAME"]) == ("", "localhost")


# --- lifespan --------------------------------------------------------------------------------------------------------


def test_start_and_stop_are_answered_and_what_was_opened_is_closed_once() -> None:
    stopped: list[str] = []

    async def stop() -> None:
        stopped.append("stopped")

    asgi = door(Seen(), on_stop=stop)
    sent = run(asgi, {"type": "lifespan.startup"}, {"type": "lifespan.shutdown"}, asked={"type": "lifespan"})
    assert [message["type"] for message in sent] == ["lifespan.startup.complete", "lifespan.shutdown.complete"]
    assert stopped == ["stopped"]


def test_another_protocol_is_left_alone() -> None:
    assert run(door(Seen()), asked={"type": "websocket"}) == []


# --- quick requests ---------------------------------------------------------------------------------------------------


def test_a_quick_request_is_answered_in_the_event_loop_once_what_it_waits_for_is_there() -> None:
    asked: list[Any] = []

    async def answer() -> Answer:
        await asyncio.sleep(0.01)
        return 200, [("X-Outcome", "stored")], b"final"

    def quick(asked_for: Any, headers: Any, body: bytes) -> Any:
        asyncio.get_running_loop()  # raises outside of one
        asked.append((asked_for["path"], headers, body))
        return answer()

    app = Seen()
    sent = run(door(app, quick=quick), chunk(b"{}"), asked=scope((b"X-Event", b"push"), (b"x_event", b"forged")))
    assert status_and_body(sent) == (200, b"final")
    assert sent[0]["headers"] == [(b"x-outcome", b"stored")]
    assert asked == [("/webhooks/github", {"x-event": "push"}, b"{}")]
    assert app.environs == []


def test_what_is_not_quick_goes_to_the_app() -> None:
    app = Seen()
    assert status_and_body(run(door(app, quick=lambda *_: None), chunk(b"12345"))) == (202, b"done")
    assert app.bodies == [b"12345"]


@pytest.mark.parametrize(("sizes", "is_file"), [((5, 5), False), ((5, 6), True), ((11,), True), ((4, 4, 4, 4), True)])
def test_a_body_above_the_bound_is_read_from_a_file(tmp_path: Path, sizes: tuple[int, ...], is_file: bool) -> None:
    app = Seen()
    asgi = door(app, limits=Limits(max_body=100, spool_above=10, spool_folder=str(tmp_path), max_buffered=12))
    chunks = [chunk(bytes([65 + number]) * size, more=number + 1 < len(sizes)) for number, size in enumerate(sizes)]
    assert run(asgi, *chunks)[0]["status"] == 202
    assert app.bodies == [b"".join(event["body"] for event in chunks)]
    assert app.environs[0]["CONTENT_LENGTH"] == str(sum(sizes))
    assert isinstance(app.environs[0]["wsgi.input"], io.BytesIO) is not is_file
    assert asgi._buffered == 0


def test_a_body_that_no_file_can_take_is_507(tmp_path: Path) -> None:
    asgi = door(Seen(), limits=Limits(spool_above=1, spool_folder=str(tmp_path / "missing")))
    assert run(asgi, chunk(b"12345"))[0]["status"] == 507


def test_a_file_is_sent_in_pieces_and_closed(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"abcde")
    file = path.open("rb")

    def app(environ: Environ, start_response: Callable[..., Any]) -> Iterable[bytes]:
        start_response("200 OK", [])
        return FileBody(file, 2)

    sent = run(door(app), chunk(b""))
    assert [event["body"] for event in sent[1:]] == [b"ab", b"cd", b"e", b""]
    assert [event["more_body"] for event in sent[1:]] == [True, True, True, False]
    assert file.closed

"""How long the other side asks us to wait, in each form it may say so; a deadline that is used up."""

from __future__ import annotations

import contextlib
import shutil
import socket
import ssl
import subprocess
import threading
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.errors import TransientError
from shared.infra.http_client import Deadline, call, make_client, retry_after
from shared.infra.socket_deadlines import Errand, meanwhile
from tests.builders import NOW, examples
from tests.security.hosts import Host, say

IN_A_MINUTE = int(NOW.timestamp()) + 60


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, None),
        ({"retry-after": "120"}, 120),
        ({"retry-after": " 7 "}, 7),
        ({"retry-after": "0"}, 0),
        ({"retry-after": "99999999999999999999"}, 86_400),
        ({"retry-after": "Mon, 02 Mar 2026 12:01:30 GMT"}, 90),
        ({"retry-after": "Monday, 02-Mar-26 12:01:30 GMT"}, 90),
        ({"retry-after": "Mon, 02 Mar 2026 13:01:30 +0100"}, 90),
        ({"retry-after": "Mon, 02 Mar 2026 11:00:00 GMT"}, 0),
        ({"retry-after": "Fri, 31 Dec 9999 23:59:59 -2300"}, 86_400),
        ({"retry-after": "999999999"}, 86_400),
        ({"retry-after": "-5"}, None),
        ({"retry-after": "1.5"}, None),
        ({"retry-after": "soon"}, None),
        ({"retry-after": "١٢"}, None),
        ({"retry-after": "Mon, 99 Mar 2026 12:00:00 GMT"}, None),
        ({"x-sentry-rate-limit-reset": str(IN_A_MINUTE)}, 60),
        ({"x-sentry-rate-limit-reset": "1"}, 0),
        ({"x-sentry-rate-limit-reset": "9" * 30}, 86_400),
        ({"x-sentry-rate-limit-reset": "never"}, None),
        ({"retry-after": "5", "x-sentry-rate-limit-reset": str(IN_A_MINUTE)}, 5),
        ({"retry-after": "", "x-sentry-rate-limit-reset": str(IN_A_MINUTE)}, 60),
    ],
)
def test_what_the_headers_ask_for_is_read_in_every_form(headers: dict[str, str], seconds: int | None) -> None:
    assert retry_after(headers, NOW) == (None if seconds is None else timedelta(seconds=seconds))


@given(
    st.text(max_size=40)
    | st.from_regex(r"[A-Z][a-z]{2}, [0-9]{1,3} [A-Z][a-z]{2} [0-9]{1,6} [0-9:]{1,9}( [-+0-9A-Z]{0,6})?", fullmatch=True)
)
@examples(300)
def test_no_header_however_odd_is_a_fault_of_ours(value: str) -> None:
    for name in ("retry-after", "x-sentry-rate-limit-reset"):
        asked = retry_after({name: value}, NOW)
        assert asked is None or timedelta(0) <= asked <= timedelta(days=1)


def test_nothing_is_sent_when_no_time_is_left() -> None:
    with make_client() as client, pytest.raises(TransientError, match="no time was left"):
        call(client, "GET", "http://127.0.0.1:1/", headers={}, deadline=Deadline(0))


def test_a_host_that_nobody_serves_is_a_passing_fault_that_names_it() -> None:
    with make_client() as client, pytest.raises(TransientError, match=r"^127\.0\.0\.1:[0-9]+ could not be reached"):
        call(client, "GET", "http://127.0.0.1:1/?token=hush", headers={"Authorization": "hush"}, deadline=Deadline(5))


def hang_up(connection: socket.socket, _: Host) -> None:
    connection.shutdown(socket.SHUT_RDWR)


def test_a_get_whose_kept_connection_ends_unanswered_is_made_once_more() -> None:
    with Host() as host, make_client() as client:
        call(client, "GET", host.url, headers={}, deadline=Deadline(5))
        host.script = lambda connection, _: (hang_up if len(host.requests) == 2 else say(200, b"[]"))(connection, host)
        assert call(client, "GET", host.url, headers={}, deadline=Deadline(5)).body == b"[]"
        assert len(host.requests) == 3


@pytest.mark.parametrize(("method", "requests"), [("GET", 2), ("POST", 1)])
def test_what_may_not_be_repeated_is_not_and_nothing_is_repeated_for_ever(method: str, requests: int) -> None:
    with Host(hang_up) as host, make_client() as client:
        with pytest.raises(TransientError, match="ended the connection without an answer"):
            call(client, method, host.url, headers={}, deadline=Deadline(5), body=b"{}" if method == "POST" else None)
        assert len(host.requests) == requests


def test_an_errand_is_done_once_while_the_answer_is_waited_for() -> None:
    done, runs = threading.Event(), []

    def answer_when_it_is_done(connection: socket.socket, host: Host) -> None:
        say(200 if done.wait(10) else 500, b"[]")(connection, host)

    def work() -> str:
        runs.append(len(host.requests))
        done.set()
        return "done"

    with Host(answer_when_it_is_done) as host, make_client() as client:
        errand = Errand(work)
        with meanwhile(errand):
            assert call(client, "GET", host.url, headers={}, deadline=Deadline(5)).status == 200
            assert call(client, "GET", host.url, headers={}, deadline=Deadline(5)).status == 200
        assert (errand.result(), errand.result(), len(runs)) == ("done", "done", 1)


def test_an_errand_that_fails_does_not_fail_the_call_but_says_so_when_asked() -> None:
    errand = Errand(lambda: int("x"))
    with Host() as host, make_client() as client, meanwhile(errand):
        assert call(client, "GET", host.url, headers={}, deadline=Deadline(5)).status == 200
    for _ in range(2):
        with pytest.raises(ValueError, match="invalid literal"):
            errand.result()


def test_an_errand_is_done_when_asked_for_if_no_answer_was_waited_for_and_not_by_a_later_call() -> None:
    runs: list[int] = []
    errand = Errand(lambda: runs.append(1))
    with meanwhile(errand):
        pass
    with Host() as host, make_client() as client:
        call(client, "GET", host.url, headers={}, deadline=Deadline(5))
    assert runs == []
    errand.result()
    assert runs == [1]


def refused_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


def ask(url: str) -> str:
    with make_client() as client, pytest.raises(TransientError) as caught:
        call(client, "GET", url, headers={}, deadline=Deadline(5))
    return str(caught.value)


def test_why_a_connection_failed_is_said_in_words() -> None:
    assert ask(f"http://127.0.0.1:{refused_port()}/").endswith("could not be reached: the connection was refused")
    assert ask("http://no-such-host.invalid/").endswith("could not be reached: its name was not found")


def test_tls_to_a_port_that_speaks_none_is_said() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:

        def answer_plainly() -> None:
            connection, _ = server.accept()
            with connection:
                connection.recv(1_000)
                connection.sendall(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")

        threading.Thread(target=answer_plainly, daemon=True).start()
        assert "this port does not speak TLS" in ask(f"https://127.0.0.1:{server.getsockname()[1]}/")


def test_a_certificate_that_is_not_trusted_is_said(tmp_path: Path) -> None:
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("openssl is not here to make a certificate")
    key, certificate = tmp_path / "key", tmp_path / "certificate"
    command = [openssl, "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1", "-subj", "/CN=localhost"]
    subprocess.run([*command, "-keyout", str(key), "-out", str(certificate)], check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    with socket.create_server(("127.0.0.1", 0)) as server:

        def refuse() -> None:
            connection, _ = server.accept()
            with connection, contextlib.suppress(OSError):
                context.wrap_socket(connection, server_side=True)

        threading.Thread(target=refuse, daemon=True).start()
        assert "its certificate is not trusted (self-signed certificate)" in ask(
            f"https://localhost:{server.getsockname()[1]}/"
        )

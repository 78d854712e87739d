"""Proxies and certificates that the environment names: what is used for whom, and which faults stop the start."""

from __future__ import annotations

import socket
import threading
from contextlib import suppress
from pathlib import Path

import pytest

from shared.config.settings import from_env
from shared.errors import SettingsError, TransientError
from shared.infra.http_client import Deadline, call, make_client
from shared.infra.outgoing import Outgoing, read_outgoing
from tests.security.hosts import Host, say


def proxies(**environ: str) -> dict[str, str | None]:
    found, faults = read_outgoing(environ)
    assert faults == []
    return dict(found.proxies)


@pytest.mark.parametrize(
    ("environ", "found"),
    [
        ({}, {}),
        ({"HTTPS_PROXY": "http://p:3128"}, {"https://": "http://p:3128"}),
        ({"https_proxy": "http://a:1", "HTTPS_PROXY": "http://b:2"}, {"https://": "http://a:1"}),
        ({"https_proxy": "", "HTTPS_PROXY": "http://b:2"}, {"https://": "http://b:2"}),
        ({"HTTPS_PROXY": ""}, {}),
        ({"HTTP_PROXY": "p:3128"}, {"http://": "http://p:3128"}),
        ({"ALL_PROXY": "socks5h://u:pw@p:1080/"}, {"all://": "socks5h://u:pw@p:1080/"}),
        ({"ALL_PROXY": "http://p:1", "NO_PROXY": "*"}, {}),
        (
            {"NO_PROXY": "acme.test, .b.test,10.0.0.0/8,::1,fd00::/8,localhost,[::1],*.c.test,http://d.test:80,,x.test:port"},
            {
                "all://*acme.test": None,
                "all://*.b.test": None,
                "all://10.0.0.0/8": None,
                "all://[::1]": None,
                "all://[fd00::]/8": None,
                "all://localhost": None,
                "all://*.c.test": None,
                "http://d.test:80": None,
            },
        ),
    ],
)
def test_proxies_are_read_as_everybody_reads_them(environ: dict[str, str], found: dict[str, str | None]) -> None:
    assert proxies(**environ) == found


@pytest.mark.parametrize("name", ["HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "ALL_PROXY"])
@pytest.mark.parametrize(
    "value",
    [
        "socks5://",
        "socks://h:1",
        "ftp://h",
        "http://h:port",
        "http://",
        "://",
        "http://h:99999",
        "http://u:hush@/",
        "http://h/x",
    ],
)
def test_a_broken_proxy_is_one_sentence_at_start_that_does_not_show_it(name: str, value: str) -> None:
    with pytest.raises(SettingsError) as caught:
        from_env({name: value})
    (fault,) = caught.value.faults
    assert fault.startswith(f"{name} must be the URL of a proxy, http://, https:// or socks5:// with a host")
    assert "hush" not in fault


def test_certificates_that_cannot_be_read_are_one_sentence_each_at_start(tmp_path: Path) -> None:
    empty = tmp_path / "empty.pem"
    empty.write_text("no certificate")
    with pytest.raises(SettingsError) as caught:
        from_env({"SSL_CERT_FILE": str(empty), "SSL_CERT_DIR": str(tmp_path / "gone")})
    assert caught.value.faults == [
        f"SSL_CERT_FILE names a file without a certificate (PEM) in it: {empty}",
        f"SSL_CERT_DIR names no folder: {tmp_path / 'gone'}",
    ]
    with pytest.raises(SettingsError, match="SSL_CERT_FILE names a file that cannot be read"):
        from_env({"SSL_CERT_FILE": str(tmp_path / "gone")})


def test_the_password_of_a_proxy_is_a_secret_of_the_process() -> None:
    settings = from_env({"HTTPS_PROXY": "http://u:pa%23ss@p:3128"})
    assert {"pa%23ss", "pa#ss"} <= settings.every_secret()
    assert "pa" not in repr(settings.outgoing)


# --- a proxy at work -------------------------------------------------------------------------------------------------


class SocksProxy:
    """Speaks SOCKS5 with a password and connects every host to `to`; notes whom it was asked for."""

    def __init__(self, to: Host) -> None:
        self.asked: list[bytes] = []
        self._to = to
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"socks5h://u:pw@127.0.0.1:{self._listener.getsockname()[1]}"
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                connection, _ = self._listener.accept()
                threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        with connection, suppress(OSError):
            assert connection.recv(3) == b"\x05\x01\x02"
            connection.sendall(b"\x05\x02")
            assert connection.recv(7) == b"\x01\x01u\x02pw"
            connection.sendall(b"\x01\x00")
            head = connection.recv(5)
            self.asked.append(connection.recv(head[4]))
            connection.recv(2)
            connection.sendall(b"\x05\x00\x00\x01\x7f\x00\x00\x01\x00\x50")
            self._to.script(connection, self._to) if _read_head(connection) else None

    def close(self) -> None:
        self._listener.close()


def _read_head(connection: socket.socket) -> bool:
    head = b""
    while b"\r\n\r\n" not in head and (data := connection.recv(4096)):
        head += data
    return bool(head)


def test_a_socks_proxy_is_spoken_to_and_finds_the_name_itself() -> None:
    with Host(say(200, b"[]")) as host:
        proxy = SocksProxy(host)
        with make_client(Outgoing({"all://": proxy.url})) as client:
            answer = call(client, "GET", "http://sentry.acme.test/api/0/", headers={}, deadline=Deadline(5))
        proxy.close()
    assert (answer.status, answer.body, proxy.asked) == (200, b"[]", [b"sentry.acme.test"])


def test_this_machine_is_never_reached_through_a_proxy() -> None:
    with Host(say(200, b"[]")) as host, make_client(Outgoing({"all://": "http://127.0.0.1:1"})) as client:
        assert call(client, "GET", host.url, headers={}, deadline=Deadline(5)).status == 200


def closed_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


@pytest.mark.parametrize("scheme", ["http", "socks5"])
def test_a_proxy_that_is_not_there_is_named(scheme: str) -> None:
    where = f"127.0.0.1:{closed_port()}"
    with make_client(Outgoing({"all://": f"{scheme}://u:hush@{where}"})) as client, pytest.raises(TransientError) as caught:
        call(client, "GET", "https://sentry.acme.test/", headers={}, deadline=Deadline(5))
    assert str(caught.value) == f"sentry.acme.test could not be reached: its proxy {where}: the connection was refused"


@pytest.mark.parametrize(
    ("scheme", "answer", "said"),
    [
        (
            "http",
            b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n",
            "407 Proxy Authentication Required",
        ),
        ("socks5", b"HTTP/1.1 400 Bad Request\r\n\r\n", "it does not answer as SOCKS5 does"),
        ("socks5", b"\x05\xff", "Requested NO AUTHENTICATION REQUIRED from proxy server, but got NO ACCEPTABLE METHODS."),
    ],
)
def test_a_proxy_that_refuses_is_quoted(scheme: str, answer: bytes, said: str) -> None:
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        with suppress(OSError):
            while True:
                connection, _ = listener.accept()
                with connection:
                    connection.recv(1000)
                    connection.sendall(answer)

    threading.Thread(target=serve, daemon=True).start()
    url = f"{scheme}://127.0.0.1:{listener.getsockname()[1]}"
    with make_client(Outgoing({"all://": url})) as client, pytest.raises(TransientError) as caught:
        call(client, "GET", "https://sentry.acme.test/", headers={}, deadline=Deadline(5))
    listener.close()
    assert str(caught.value) == f"sentry.acme.test could not be reached: the proxy refused ({said})"

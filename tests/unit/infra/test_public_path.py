"""Below which path an app is reached: by its setting, by a trusted proxy's header, never by anyone else's."""

from __future__ import annotations

from ipaddress import ip_network
from typing import Any

import pytest

from shared.infra.public_path import PublicPath, is_public_path, path_of, without

PROXY, OTHER = "10.0.0.5", "192.0.2.7"


def seen(path: str, setting: str = "", peer: str = PROXY, **headers: str) -> tuple[str, str, str]:
    """(SCRIPT_NAME, PATH_INFO, scheme) as the app gets them."""
    found: dict[str, Any] = {}
    environ = {"PATH_INFO": path, "SCRIPT_NAME": "", "REMOTE_ADDR": peer, "wsgi.url_scheme": "http"}
    environ |= {f"HTTP_X_FORWARDED_{name.upper()}": value for name, value in headers.items()}
    app = PublicPath(lambda got, _: found.update(got) or [], setting, [ip_network("10.0.0.0/8")])  # type: ignore[func-returns-value]
    app(environ, lambda *_: None)
    return found["SCRIPT_NAME"], found["PATH_INFO"], found["wsgi.url_scheme"]


@pytest.mark.parametrize(
    ("path", "given"),
    [("/tagship/jobs", "/jobs"), ("/jobs", "/jobs"), ("/tagship", "/"), ("/tagship/", "/"), ("/tagshipper", "/tagshipper")],
)
def test_a_proxy_may_take_the_path_off_or_leave_it(path: str, given: str) -> None:
    assert seen(path, "/tagship") == ("/tagship", given, "http")
    assert seen(path, prefix="/tagship") == ("/tagship", given, "http")


def test_the_header_goes_before_the_setting_and_the_first_proxy_of_a_list_counts() -> None:
    assert seen("/jobs", "/old", prefix="/new/, /inner")[0] == "/new"
    assert seen("/jobs", "/old")[0] == "/old"


def test_nobody_but_a_trusted_proxy_is_believed() -> None:
    assert seen("/jobs", peer=OTHER, prefix="/evil", proto="https") == ("", "/jobs", "http")
    assert seen("/jobs", proto="https")[2] == "https"


@pytest.mark.parametrize(
    "header", ["//evil.test", "/a//b", "/../x", "/a b", '/"><script>', "evil", "/%2f", "/a\\b", "/" + "a" * 300, "/x?y", "/x#y"]
)
def test_a_header_that_is_no_path_is_ignored(header: str) -> None:
    assert seen("/jobs", prefix=header)[0] == ""


def test_what_a_setting_may_hold() -> None:
    assert [
        is_public_path(path_of(url)) for url in ("https://h", "https://h/", "https://h/a/b-c_d~e.f", "https://h/a/../b")
    ] == [
        True,
        True,
        True,
        False,
    ]
    assert (without("", "/x"), without("/x", "/x/y")) == ("/x", "/y")

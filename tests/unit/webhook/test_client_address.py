"""Whose request it is, by address: which proxies are believed, how far, and what counts as one sender."""

from __future__ import annotations

from ipaddress import ip_address, ip_network
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.builders import examples
from webhook.http.client_address import TrustedProxies, group, origin, sender_of

OURS = (ip_network("10.0.0.0/8"), ip_network("fd00::/8"))


@pytest.mark.parametrize(
    ("address", "name"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2::", "2001:db8:1:2::/64"),
        ("::ffff:192.0.2.7", "192.0.2.7"),  # IPv4 inside IPv6 is the same sender
        ("fe80::1%eth0", "fe80::/64"),
        ("", "-"),
        (None, "-"),
        ("unix:", "-"),
        ("x" * 10_000, "-"),
    ],
)
def test_what_counts_as_one_sender(address: str | None, name: str) -> None:
    assert group(address) == name


@pytest.mark.parametrize(
    ("peer", "forwarded", "sender"),
    [
        ("192.0.2.7", "198.51.100.1", "192.0.2.7"),  # an untrusted peer is not believed
        ("10.0.0.1", "", "10.0.0.1"),
        ("10.0.0.1", "198.51.100.1", "198.51.100.1"),
        ("10.0.0.1", "203.0.113.9, 198.51.100.1", "198.51.100.1"),  # what stands before it the sender may have written
        ("10.0.0.1", "198.51.100.1, 10.0.0.2", "198.51.100.1"),  # two proxies of ours
        ("10.0.0.1", "10.0.0.3, 10.0.0.2", "10.0.0.3"),
        ("10.0.0.1", "nonsense, 10.0.0.2", "10.0.0.2"),  # what cannot be read ends the search
        ("10.0.0.1", "198.51.100.1:4711", "198.51.100.1"),
        ("10.0.0.1", "[2001:db8::1]:443", "2001:db8::1"),
        ("::ffff:10.0.0.1", "198.51.100.1", "198.51.100.1"),
        ("fd00::1", "2001:db8::1", "2001:db8::1"),
        ("", "198.51.100.1", ""),
        ("10.0.0.1", ", ".join(["198.51.100.1"] + ["10.0.0.2"] * 19), "198.51.100.1"),
        ("10.0.0.1", ", ".join(["198.51.100.1"] + ["10.0.0.2"] * 500), "10.0.0.2"),  # bounded
    ],
)
def test_the_sender_is_the_nearest_address_that_is_no_proxy_of_ours(peer: str, forwarded: str, sender: str) -> None:
    assert origin(peer, forwarded, OURS) == sender
    assert sender_of(OURS)(peer, {"x-forwarded-for": forwarded}) == sender


def test_without_trusted_proxies_the_header_says_nothing() -> None:
    assert sender_of(())("10.0.0.1", {"x-forwarded-for": "198.51.100.1"}) == "10.0.0.1"


def test_the_app_sees_the_sender_as_the_peer() -> None:
    seen: list[dict[str, Any]] = []

    def app(environ: dict[str, Any], start_response: object) -> list[bytes]:
        seen.append(environ)
        return []

    wrapped = TrustedProxies(app, OURS)
    wrapped({"REMOTE_ADDR": "10.0.0.1", "HTTP_X_FORWARDED_FOR": "198.51.100.1"}, lambda *_: None)
    wrapped({}, lambda *_: None)
    assert [environ["REMOTE_ADDR"] for environ in seen] == ["198.51.100.1", ""]


@given(st.text(max_size=200))
@examples(300)
def test_whatever_the_header_says_the_sender_is_an_address(forwarded: str) -> None:
    found = ip_address(origin("10.0.0.1", forwarded, OURS))
    assert found.version in (4, 6)

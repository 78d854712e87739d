"""Refused requests are slowed down by address; whoever sends authentic ones notices nothing, also behind the same proxy."""

from __future__ import annotations

import threading
from collections.abc import Callable
from functools import partial
from ipaddress import ip_network

import pytest

from shared.config.settings import from_env
from shared.errors import TooManyRefusals
from tests.security.door import OPERATOR, VIEWER, Door, gitlab_tag, signed, tag
from webhook.http.client_address import TrustedProxies, group, sender_of
from webhook.intake.throttle import Throttle

BURST = 300
FORGED = {"X-Hub-Signature-256": "sha256=" + "0" * 64}


@pytest.fixture(autouse=True)
def no_time_passes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Otherwise a slow machine's receiver has room again for a refusal every half second."""
    monkeypatch.setattr("webhook.app.Throttle", partial(Throttle, clock=lambda: 0.0))


def throttle(moment: list[float], **fields: int) -> Throttle:
    return Throttle(clock=lambda: moment[0], **fields)


def passed(throttle: Throttle, address: str, tries: int) -> int:
    """How many of so many refusals were within the limit."""
    found = 0
    for _ in range(tries):
        try:
            throttle.note(address)
            found += 1
        except TooManyRefusals:
            continue
    return found


def test_unauthenticated_requests_are_slowed_down_by_address(door: Door) -> None:
    statuses = [door.send(tag(), **FORGED).status_code for _ in range(BURST + 40)]
    assert statuses == [401] * BURST + [429] * 40
    assert door.send(tag(), "203.0.113.9", **FORGED).status_code == 401, "another address is not concerned"


def flood(door: Door, address: str = "127.0.0.1") -> None:
    for _ in range(BURST + 10):
        door.send(tag(), address, **FORGED)
    assert door.send(tag(), address, **FORGED).status_code == 429


def test_an_authentic_sender_at_the_same_address_is_not_slowed_down(door: Door) -> None:
    flood(door)
    assert [door.send(tag(f"v1.{n}")).status_code for n in range(20)] == [202] * 20
    assert [door.send(gitlab_tag(f"v2.{n}")).status_code for n in range(20)] == [202] * 20
    refused = door.send(signed({"ref": 7}))
    assert refused.status_code == 400, "an authentic sender learns what is wrong with its payload"


def test_authentic_requests_never_count_also_when_their_payload_is_refused(door: Door) -> None:
    assert {door.send(signed({"ref": n})).status_code for n in range(BURST + 30)} == {400}
    assert door.send(tag(), **FORGED).status_code == 401


def test_the_answer_to_the_throttled_is_short_and_tells_no_more_than_any_refusal(door: Door) -> None:
    flood(door)
    unsigned = {name: value for name, value in tag().headers.items() if name != "X-Hub-Signature-256"}
    answers = [
        door.send(tag(), **FORGED),
        door.post("/webhooks/github", b"{}", unsigned),
        door.post("/webhooks/nobody", b"{}", {}),
        door.post("/webhooks/github", b"{}", {"Content-Type": "text/plain"}),
    ]
    for answer in answers:
        assert answer.status_code == 429
        assert answer.content_type == "application/problem+json"
        assert int(answer.headers["Retry-After"]) >= 1
    assert len({answer.data for answer in answers}) == 1


def test_what_is_throttled_is_not_written_down(door: Door) -> None:
    flood(door)
    rows = len(door.refused)
    for _ in range(20):
        door.send(tag(), **FORGED)
    assert len(door.refused) == rows


def test_the_api_answers_as_ever_while_an_address_is_slowed_down_at_the_door(door: Door) -> None:
    """Wrong tokens there are counted apart (`dashboard/test_access.py`)."""
    flood(door)
    client = door.app.test_client()
    for _ in range(4):
        assert client.get("/api/v1/jobs", headers={"Authorization": "Bearer guess"}).status_code == 401
    for token in (OPERATOR, VIEWER):
        assert client.get("/api/v1/jobs", headers={"Authorization": f"Bearer {token}"}).status_code == 200


def test_the_limit_refills_and_an_ipv6_subscriber_is_one_sender() -> None:
    moment = [0.0]
    made = throttle(moment)
    assert passed(made, "2001:db8::1", 250) == 250
    assert passed(made, "2001:db8::ffff:2", 100) == 50, "the same /64"
    assert passed(made, "2001:db8:0:1::1", 100) == 100, "the next /64"
    moment[0] = 10.0
    assert passed(made, "2001:db8::3", 100) == 20, "two a second"


def test_the_table_of_senders_is_bounded() -> None:
    made = throttle([0.0], most=100)
    for number in range(10_000):
        made.note(f"10.{number // 65_536}.{number // 256 % 256}.{number % 256}")
    assert len(made._buckets._known) == 100


def test_threads_count_together() -> None:
    made = throttle([0.0])
    found: list[int] = []
    threads = [threading.Thread(target=lambda: found.append(passed(made, "10.0.0.1", 100))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(found) == BURST


@pytest.mark.parametrize(
    ("address", "sender"),
    [
        ("203.0.113.7", "203.0.113.7"),
        ("::ffff:203.0.113.7", "203.0.113.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("", "-"),
        (None, "-"),
        ("unix:/run/x.sock", "-"),
    ],
)
def test_what_counts_as_one_sender(address: str | None, sender: str) -> None:
    assert group(address) == sender


@pytest.mark.parametrize(
    ("peer", "forwarded", "origin"),
    [
        ("10.0.0.1", "203.0.113.7", "203.0.113.7"),
        ("10.0.0.1", "198.51.100.1, 203.0.113.7", "203.0.113.7"),  # the first was written by the sender himself
        ("10.0.0.1", "203.0.113.7, 10.0.0.2", "203.0.113.7"),
        ("10.0.0.1", "203.0.113.7:4711", "203.0.113.7"),
        ("10.0.0.1", "[2001:db8::7]:4711", "2001:db8::7"),
        ("10.0.0.1", "", "10.0.0.1"),
        ("10.0.0.1", "rubbish", "10.0.0.1"),
        ("10.0.0.1", "203.0.113.7, rubbish", "10.0.0.1"),
        ("10.0.0.1", "10.0.0.3", "10.0.0.3"),
        ("203.0.113.7", "198.51.100.1", "203.0.113.7"),  # not a trusted proxy
        ("", "198.51.100.1", ""),
    ],
)
def test_the_origin_is_the_nearest_address_that_no_trusted_proxy_has(peer: str, forwarded: str, origin: str) -> None:
    trusted = (ip_network("10.0.0.0/8"),)
    assert sender_of(trusted)(peer, {"x-forwarded-for": forwarded}) == origin
    environ = {"REMOTE_ADDR": peer, "HTTP_X_FORWARDED_FOR": forwarded}
    list(TrustedProxies(lambda *_: [], trusted)(environ, lambda *_: None))
    assert environ["REMOTE_ADDR"] == origin


def test_nobody_is_believed_about_his_address_unless_it_is_configured(open_door: Callable[..., Door]) -> None:
    plain = open_door()
    for number in range(BURST + 10):
        plain.send(tag(), **FORGED, **{"X-Forwarded-For": f"203.0.{number // 250}.{number % 250}"})
    assert plain.send(tag(), **FORGED, **{"X-Forwarded-For": "203.0.113.250"}).status_code == 429
    behind = open_door(trusted_proxies=(ip_network("127.0.0.1"),))
    flooded = {"X-Forwarded-For": "203.0.113.7"}
    for _ in range(BURST + 10):
        behind.send(tag(), **FORGED, **flooded)
    assert behind.send(tag(), **FORGED, **flooded).status_code == 429
    assert behind.send(tag(), **FORGED, **{"X-Forwarded-For": "203.0.113.8"}).status_code == 401
    assert behind.send(tag(), "198.51.100.1", **FORGED, **flooded).status_code == 401, "that peer is no proxy of ours"


def test_trusted_proxies_are_addresses_or_networks() -> None:
    assert from_env({}).trusted_proxies == ()
    found = from_env({"TRUSTED_PROXIES": "127.0.0.1, 10.0.0.0/8,::1"}).trusted_proxies
    assert [str(network) for network in found] == ["127.0.0.1/32", "10.0.0.0/8", "::1/128"]
    for wrong in ("*", "10.0.0.1/8", "proxy.example.com", ""):
        with pytest.raises(Exception, match="TRUSTED_PROXIES"):
            from_env({"TRUSTED_PROXIES": wrong})

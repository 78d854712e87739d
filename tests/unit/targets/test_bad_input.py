"""Every call to a target, every status, every kind of body: each ends in success, "not there", temporary or permanent.

The table below is written from what the words mean, not from the code: who may have said this, and can it be true later?
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime

import httpx2
import pytest

from shared.errors import PermanentError, TransientError
from shared.infra.http_client import Deadline, make_client
from shared.targets.sentry_client import Sent, SentryClient
from tests.builders import target
from tests.security.hosts import Host, say

SECRET = "hush-token-of-the-target"
TARGET = target("main", url="http://unused", org="acme")
AT = datetime(2026, 3, 2, tzinfo=UTC)
RELEASE = {"version": "v1", "dateReleased": None, "ref": "v1", "commitCount": 1, "projects": [{"slug": "app"}]}

# kind -> what it is to a caller that wants an object, and to one that wants a list. "": nothing that JSON could be
BODIES: dict[str, tuple[bytes, str]] = {
    "object": (json.dumps(RELEASE).encode(), "object"),
    "object with a BOM": (b"\xef\xbb\xbf" + json.dumps(RELEASE).encode(), "object"),
    "object of wrong types": (b'{"version": "v1", "dateReleased": 7, "ref": [], "commitCount": "x", "projects": 1}', "object"),
    "object of a refusal": (b'{"detail": "The requested resource does not exist"}', "refusal"),
    "list": (b'[{"version": "v1", "name": "acme/shop", "environment": "e"}]', "list"),
    "list of wrong types": (b'[null, 7, "x", [], {"version": 7, "name": null, "dateFinished": {}}]', "list"),
    "page": (b"<!doctype html><html><head><title>Sign in " + SECRET.encode() + b"</title></head></html>", ""),
    "empty": (b"", ""),
    "cut": (json.dumps(RELEASE).encode()[:-3], ""),
    "null": (b"null", ""),
    "number": (b"1e9999", ""),
    "nested": (b"[" * 60_000, ""),
    "not UTF-8": (b"\xff\xfe\x00{", ""),
    "text": (b"upstream connect error", ""),
}
STATUSES = (
    *(200, 201, 202, 204, 207, 208, 299),
    *(300, 302, 307, 308, 399),
    *(400, 401, 402, 403, 404, 405, 406, 408, 409, 410, 413, 418, 422, 423, 425, 429, 451, 499),
    *(500, 501, 502, 503, 504, 511, 520, 599),
)
PASSING = {408, 409, 425, 429}
NO_DEPLOYS = {403, 404, 405}  # to a deploy: said of this deploy alone, and tried for some minutes

Call = Callable[[SentryClient, Deadline], object]
CALLS: dict[str, tuple[Call, str]] = {  # and what it wants
    "POST release": (lambda c, d: c.send_release({"version": "v1"}, delivery_id=None, deadline=d), "object"),
    "PUT release": (lambda c, d: c.correct_release("v1", {"ref": "v1"}, delivery_id=None, deadline=d), "object"),
    "POST deploy": (lambda c, d: c.send_deploy("v1", {"environment": "e"}, delivery_id=None, deadline=d), "object"),
    "GET one": (lambda c, d: c.find_release("v1", d), "object"),
    "GET deploys": (lambda c, d: c.find_deploy("v1", environment="e", finished_at=AT, deadline=d), "list"),
    "GET list": (lambda c, d: c.list_versions(d), "list"),
    "GET repositories": (lambda c, d: c.list_repositories(), "list"),
}


def expected(call: str, wanted: str, status: int, kind: str) -> str:
    """success, absent, temporary or permanent."""
    if 200 <= status < 300:
        is_it = kind == wanted or (kind == "refusal" and call in ("PUT release", "POST deploy"))  # an object is enough there
        return "success" if is_it else "temporary"  # a page or another program's words: not believed, and not for ever
    if 300 <= status < 400:
        return "permanent"  # never followed: a person must set another address
    if status in PASSING or status >= 500:
        return "temporary"
    is_object = kind in ("object", "refusal")
    if call in ("POST deploy", "GET deploys") and status in NO_DEPLOYS:
        return "temporary"
    if status in (401, 403, 404) and not is_object:
        return "temporary"  # whoever stands before the target said it
    return "absent" if call == "GET one" and status == 404 else "permanent"


@pytest.fixture(scope="module")
def http() -> Iterator[httpx2.Client]:
    with make_client() as client:
        yield client


@pytest.fixture(scope="module")
def host() -> Iterator[Host]:
    with Host() as made:
        yield made


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("body", BODIES)
def test_each_answer_to_each_call_has_the_outcome_of_the_table(http: httpx2.Client, host: Host, call: str, body: str) -> None:
    ask, wanted = CALLS[call]
    raw, kind = BODIES[body]
    client = SentryClient(http, target("main", url=host.url, org="acme"), SECRET)
    wrong = []
    for status in STATUSES:
        host.script = say(status, b"" if status == 204 else raw)
        outcome, said = outcome_of(ask, client)
        if outcome != expected(call, wanted, status, "" if status == 204 else kind):
            wrong.append((status, outcome, said))
        if said is not None:
            assert_true(said, status, kind)
    assert wrong == []


def outcome_of(ask: Call, client: SentryClient) -> tuple[str, str | None]:
    try:
        found = ask(client, Deadline(10))
    except TransientError as problem:
        return "temporary", str(problem)
    except PermanentError as problem:
        return "permanent", str(problem)
    assert not isinstance(found, Sent) or found.url.endswith("/releases/v1/")
    return ("absent" if found is None and ask is CALLS["GET one"][0] else "success"), None


def assert_true(said: str, status: int, kind: str) -> None:
    """One sentence that names the status, quotes no page and no secret, and blames the token or the organization only where
    the target itself spoke."""
    assert f"the target 'main' answered {status}" in said
    assert SECRET not in said
    assert "<" not in said
    assert "\n" not in said
    assert len(said) < 500
    if kind not in ("object", "refusal"):
        assert "ACME_TOKEN needs the scope" not in said
        assert "no organization" not in said
    if status == 401 and kind in ("object", "refusal"):
        assert "check ACME_TOKEN" in said


def test_whether_a_target_answers_is_yes_only_for_a_list(http: httpx2.Client, host: Host) -> None:
    client = SentryClient(http, target("main", url=host.url, org="acme"), SECRET)
    for raw, kind in BODIES.values():
        for status in (200, 204, 302, 401, 404, 500):
            host.script = say(status, b"" if status == 204 else raw)
            assert client.is_answering() == (200 <= status < 300 and status != 204 and kind == "list"), (status, raw[:40])

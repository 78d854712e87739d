"""Each real break-in into a system of this kind, tried here. The names say which; SECURITY.md lists them."""

from __future__ import annotations

import asyncio
import hmac
import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from shared.config.settings import from_env
from shared.errors import SettingsError
from shared.forges import PROVIDERS
from shared.infra.asgi import FlaskInAsgi
from tests.builders import (
    NOW,
    SIGNING_TOKEN,
    incoming,
    on_the_wire,
    payload,
    signed_by_github,
    signed_by_gitlab,
    with_headers,
)
from tests.security.door import OPERATOR, PLAIN, TOKEN, VIEWER, Door, gitlab_tag, signed, source, tag
from webhook.dashboard.sessions import Sessions
from webhook.http import problems
from webhook.local.sample_webhooks import Sample
from webhook.ops.roles import role_of


@pytest.fixture
def compared(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Any, Any]]:
    """What hmac.compare_digest was given; it compares all the same."""
    found: list[tuple[Any, Any]] = []
    true = hmac.compare_digest

    def compare(a: Any, b: Any) -> bool:
        found.append((a, b))
        return true(a, b)

    monkeypatch.setattr(hmac, "compare_digest", compare)
    return found


def assert_all_compared(compared: list[tuple[Any, Any]], number: int) -> None:
    assert len(compared) == number, "none may be left out because an earlier one fits or has another length"
    assert all(isinstance(a, bytes) and isinstance(b, bytes) for a, b in compared), "text would fail beyond ASCII"


SECRETS = ("short", "the-right-one", "a-longer-secret-than-that")


@pytest.mark.parametrize("right", range(3))
def test_cve_2022_36885_a_github_signature_is_compared_in_constant_time(compared: list[Any], right: int) -> None:
    request = signed_by_github(incoming("github", {"a": 1}), SECRETS[right])
    assert PROVIDERS["github"].verify(request, SECRETS, NOW) == (SECRETS[right],)
    assert_all_compared(compared, 3)


@pytest.mark.parametrize("right", range(3))
def test_cve_2022_43411_a_gitlab_token_is_compared_in_constant_time(compared: list[Any], right: int) -> None:
    request = with_headers(incoming("gitlab", {}), x_gitlab_token=SECRETS[right])
    assert PROVIDERS["gitlab"].verify(request, SECRETS, NOW) == (SECRETS[right],)
    assert_all_compared(compared, 3)


def test_cve_2022_43412_the_tokens_of_the_ops_api_and_the_sign_in_are_compared_in_constant_time(
    compared: list[Any], door: Door
) -> None:
    settings = door.app.extensions["services"].settings
    assert [role_of(f"Bearer {token}", settings) for token in (OPERATOR, VIEWER, "x")] == ["operator", "viewer", None]
    assert_all_compared(compared, 6)
    compared.clear()
    sessions = Sessions(settings)
    assert [sessions.role_of(token) for token in (OPERATOR, VIEWER, "x")] == ["operator", "viewer", None]
    assert_all_compared(compared, 6)


def test_ghsa_f67f_2j6r_m4c9_a_gitlab_signature_is_compared_in_constant_time(compared: list[Any]) -> None:
    other = "whsec_" + "A" * 44
    request = signed_by_gitlab(incoming("gitlab", {}))
    assert PROVIDERS["gitlab"].verify(request, (SIGNING_TOKEN, other, "plain"), NOW) == (SIGNING_TOKEN,)
    assert_all_compared(compared, 2)


def test_cve_2022_24912_a_wrong_secret_is_tried_like_the_right_one(compared: list[Any], door: Door) -> None:
    """Atlantis compared text with ==. The way of a wrong signature is that of a right one up to its end."""
    assert door.send(tag()).status_code == 202
    right = len(compared)
    compared.clear()
    assert door.send(tag(secret="wrong")).status_code == 401
    assert len(compared) == right == 1


def ask(app: FlaskInAsgi, *headers: tuple[bytes, bytes], chunk: bytes) -> tuple[int, int]:
    """(status, bytes taken before the answer) of an endless body."""
    taken = 0
    statuses: list[int] = []

    async def receive() -> dict[str, Any]:
        nonlocal taken
        taken += 0 if statuses else len(chunk)
        return {"type": "http.request", "body": chunk, "more_body": True}

    async def send(message: Any) -> None:
        if message["type"] == "http.response.start":
            statuses.append(message["status"])

    scope = {
        "type": "http",
        "method": "POST",
        "path": "/webhooks/github",
        "query_string": b"",
        "headers": [(b"content-type", b"application/json"), *headers],
    }
    asyncio.run(app(scope, receive, send))
    return statuses[0], taken


def test_cve_2024_40634_a_body_without_end_is_taken_up_to_the_cap_alone(door: Door) -> None:
    """Argo CD read up to a gigabyte of anybody's JSON."""
    asgi = FlaskInAsgi(door.app, refuse=problems.refuse_body)
    status, taken = ask(asgi, chunk=b" " * 1024 * 1024)
    assert (status, taken) == (413, 26 * 1024 * 1024)


def test_cve_2024_40634_json_that_grows_when_it_is_read_is_bounded(door: Door) -> None:
    """Depth and lengths of lists are capped, so a small body cannot become a large value."""
    base = json.loads(tag().body)
    for body in (
        b"[" * 10_000_000,
        b'{"a":' * 1_000_000,
        json.dumps({**base, "commits": [1] * 10_001}).encode(),
        json.dumps({**base, "commits": [{}] * 10_001}).encode(),
        b'{"a":' + b"9" * 1_000_000 + b"}",
    ):
        assert door.send(signed(body)).status_code == 400
    assert door.jobs == []
    # Paths are optional: too many of them are unknown, and none is kept.
    many = {**base["head_commit"], "added": ["a"] * 10_001}
    assert door.send(signed(json.dumps({**base, "head_commit": many}).encode())).status_code == 202


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    steps = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path, *(found for step, inner in steps for found in places(inner, (*path, step)))]


def test_cve_2025_59531_a_value_of_another_type_is_no_fault_of_ours(door: Door) -> None:
    """Argo CD panicked when `links.clone` was no list. Every place of a push is made a text, a number, a list, an object."""
    base = json.loads(tag().body)
    statuses = set()
    for path in places(base)[1:]:
        odd: Any
        for odd in ("x", 7, [], {}, None, True):
            body = json.loads(tag().body)
            inner = body
            for step in path[:-1]:
                inner = inner[step]
            inner[path[-1]] = odd
            statuses.add(door.send(signed(body)).status_code)
    assert statuses == {200, 202, 400}


def test_cve_2025_59531_without_a_secret_the_door_is_shut(open_door: Callable[..., Door]) -> None:
    shut = open_door(webhook_secrets={})
    assert shut.send(tag()).status_code == 404
    assert shut.send(gitlab_tag()).status_code == 404
    assert shut.refused == []


def test_cve_2026_42294_a_body_that_announces_too_much_is_refused_unread(door: Door) -> None:
    """Argo Workflows read the whole body before it looked at anything."""
    asgi = FlaskInAsgi(door.app, refuse=problems.refuse_body)
    status, taken = ask(asgi, (b"content-length", b"10737418240"), chunk=b" " * 65_536)
    assert (status, taken) == (413, 0)


def test_cve_2026_42294_the_signature_is_checked_before_the_body_is_parsed(door: Door) -> None:
    for body in (b"{", b"\xff", b"[" * 1_000_000, b"not JSON"):
        assert door.send(Sample("github", tag().headers, body)).status_code == 401
        assert door.send(signed(body)).status_code == 400


def test_cve_2025_27616_a_valid_hook_of_one_repository_cannot_name_another(open_door: Callable[..., Door]) -> None:
    """Vela believed the repository that a body named, whoever had signed it."""
    bound = open_door(sources=(source("SHOP_SECRET", "acme/shop"), source("TILL_SECRET", "acme/till")))
    assert bound.send(tag(repository="acme/till", secret="shop-secret")).status_code == 401
    assert bound.send(tag(repository="acme/shop", secret="shop-secret")).status_code == 202
    assert [job.repository for job in bound.jobs] == ["acme/shop"]


def test_ghsa_qxwc_wchr_5h29_a_refusal_tells_nobody_which_repositories_or_rules_exist(open_door: Callable[..., Door]) -> None:
    """Jenkins' Gogs plugin told callers whether a job exists."""
    bound = open_door(sources=(source("SHOP_SECRET", "acme/shop"),))
    answers = [
        bound.send(tag(repository="acme/shop", secret="wrong")),
        bound.send(tag(repository="acme/shop", secret=PLAIN)),
        bound.send(tag(repository="nobody/nothing", secret="wrong")),
        bound.send(tag(repository="nobody/nothing", secret="shop-secret")),
        bound.send(tag("latest", secret="wrong")),
        bound.send(Sample("github", {**tag().headers, "X-Hub-Signature-256": ""}, b"{}")),
    ]
    assert {(answer.status_code, answer.data, tuple(answer.headers)) for answer in answers} == {
        (401, answers[0].data, tuple(answers[0].headers))
    }


def test_ghsa_qxwc_wchr_5h29_a_secret_is_never_optional(door: Door) -> None:
    unsigned = {name: value for name, value in tag().headers.items() if name != "X-Hub-Signature-256"}
    assert door.post("/webhooks/github", tag().body, unsigned).status_code == 401
    without = {name: value for name, value in gitlab_tag().headers.items() if name != "X-Gitlab-Token"}
    assert door.post("/webhooks/gitlab", gitlab_tag().body, without).status_code == 401


def test_coolify_4186_an_empty_secret_is_a_fault_and_an_empty_header_is_wrong(door: Door) -> None:
    """Coolify took a GitLab hook for authentic when both were empty."""
    for environ in ({"GITLAB_WEBHOOK_SECRET": ""}, {"GITHUB_WEBHOOK_SECRET": " "}, {"GITHUB_WEBHOOK_SECRET": "a,,b"}):
        with pytest.raises(SettingsError):
            from_env(environ)
    assert door.send(gitlab_tag(), **{"X-Gitlab-Token": ""}).status_code == 401
    assert door.send(gitlab_tag(), **{"webhook-signature": ""}).status_code == 401
    assert door.send(tag(), **{"X-Hub-Signature-256": "sha256="}).status_code == 401
    signed_with_nothing = signed(tag().body, "")
    assert door.send(signed_with_nothing).status_code == 401


def test_go_playground_209_the_id_of_a_hook_proves_nothing(door: Door) -> None:
    ids = {
        "X-Hook-UUID": "c4b0a5e0-0000-4000-8000-000000000000",
        "X-GitHub-Hook-ID": "1",
        "X-Gitlab-Webhook-UUID": "c4b0a5e0-0000-4000-8000-000000000000",
        "X-Gitlab-Instance": "https://gitlab.com",
        "User-Agent": "GitHub-Hookshot/044aadd",
        "X-Forwarded-For": "140.82.112.1",
    }
    for sample, proof in ((tag(), "X-Hub-Signature-256"), (gitlab_tag(), "X-Gitlab-Token")):
        headers = {name: value for name, value in sample.headers.items() if name != proof}
        assert door.post(f"/webhooks/{sample.provider}", sample.body, {**headers, **ids}).status_code == 401


def test_github_plugin_242_the_signature_is_over_the_bytes_that_came(door: Door) -> None:
    """Jenkins signed text that it had decoded and encoded again: one ™ broke it, and so did the fix."""
    base = json.loads(tag().body)
    base["repository"]["description"] = "Tills™ – größe 📦"
    spellings = (
        json.dumps(base, ensure_ascii=False).encode(),
        json.dumps(base, ensure_ascii=True).encode(),
        json.dumps(base, ensure_ascii=False, indent=2).encode() + b"\r\n",
    )
    for body in spellings:
        assert door.send(signed(body)).status_code in (200, 202)
    wrong = Sample("github", signed(spellings[0]).headers, spellings[1])
    assert door.send(wrong).status_code == 401, "the same JSON in other bytes is another body"


def test_github_plugin_246_a_secret_beyond_ascii_is_taken_as_its_bytes(open_door: Callable[..., Door]) -> None:
    secret = "schlüssel-鍵-™"
    odd = open_door(webhook_secrets={"github": (secret,), "gitlab": (secret,)})
    assert odd.send(signed(tag().body, secret)).status_code == 202
    assert odd.send(gitlab_tag(), **{"X-Gitlab-Token": on_the_wire(secret.encode())}).status_code == 202
    assert odd.send(signed(tag().body, "schlussel-鍵-™")).status_code == 401


def test_gitlab_19367_a_replayed_request_makes_nothing_twice(door: Door) -> None:
    """A plain token is the same in every request: what was recorded can be sent again, and then finds its delivery."""
    sample = gitlab_tag()
    assert door.send(sample).status_code == 202
    again = door.send(sample)
    assert (again.status_code, again.json and again.json["status"]) == (200, "duplicate")
    renamed = door.send(sample, **{"Idempotency-Key": "another-id"})
    assert renamed.json is not None
    assert renamed.json["jobs"] == [door.jobs[0].id], "under another id it is the same ref and commit: the same job"
    assert len(door.jobs) == 1


def test_gitlab_587536_a_signature_is_good_for_five_minutes_and_for_its_id_alone(open_door: Callable[..., Door]) -> None:
    signing = open_door(webhook_secrets={"gitlab": (SIGNING_TOKEN,)})
    request = incoming("gitlab", payload("gitlab", "tag_push_hook__annotated"), event="Tag Push Hook")
    now = datetime.now(UTC)

    def send(request: Any) -> int:
        return signing.post("/webhooks/gitlab", request.body, dict(request.headers)).status_code

    fresh = signed_by_gitlab(request, at=now)
    assert send(fresh) == 202
    assert send(signed_by_gitlab(request, at=now - timedelta(minutes=6))) == 401
    assert send(signed_by_gitlab(request, at=now + timedelta(minutes=6))) == 401
    assert send(with_headers(fresh, webhook_id="another")) == 401
    assert send(with_headers(request, x_gitlab_token=SIGNING_TOKEN)) == 401, "a signing token is no plain token"
    both = with_headers(fresh, webhook_signature="v1,AAAA", x_gitlab_token=TOKEN)
    assert open_door().post("/webhooks/gitlab", both.body, dict(both.headers)).status_code == 401

"""The rules that those break-ins teach, one test or more for each. SECURITY.md lists them."""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Callable
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlencode

import pytest
import structlog

from shared.infra.http_client import make_client
from shared.ledger.retention import KEEP_DELIVERIES
from shared.ledger.tables import deliveries, jobs
from shared.targets.repository_names import RepositoryNames
from tests.builders import SIGNING_TOKEN
from tests.dashboard.ledger import form_token, sign_in
from tests.security.door import OPERATOR, PLAIN, TOKEN, VIEWER, Door, gitlab_tag, rules, signed, source, tag
from tests.security.hosts import Host
from webhook.intake.keyring import make_keyrings, token_in_the_clear
from worker.commits.forge_pool import Forges
from worker.commits.release_commits import Gatherer
from worker.jobs.attempt import Tools
from worker.jobs.runner import Runner


def test_a_signature_is_verified_before_anything_is_parsed_and_over_the_bytes_received(door: Door) -> None:
    for body in (b"", b"{", b"\xff\xfe", b"[" * 100_000):
        assert door.send(signed(body, "wrong")).status_code == 401
        assert door.send(signed(body)).status_code == 400
    form = urlencode({"payload": tag().body.decode()}).encode()
    kind = {"Content_Type": "application/x-www-form-urlencoded"}
    assert door.send(signed(form, **kind)).status_code == 202
    digest = "sha256=" + hmac.new(PLAIN.encode(), tag().body, hashlib.sha256).hexdigest()
    over_its_value = signed(form, **kind, X_Hub_Signature_256=digest)
    assert door.send(over_its_value).status_code == 401, "the form's value is not what was sent"


def test_unknown_and_unconfigured_providers_get_the_same_answer(open_door: Callable[..., Door]) -> None:
    made = open_door(webhook_secrets={"github": (PLAIN,)})
    answers = [made.post(f"/webhooks/{name}", b"{}", dict(gitlab_tag().headers)) for name in ("gitlab", "gitea", "x" * 300)]
    assert {(answer.status_code, answer.data) for answer in answers} == {(404, answers[0].data)}


def test_several_secrets_are_good_at_once_and_the_log_says_which_was_used(
    open_door: Callable[..., Door],
) -> None:
    made = open_door(webhook_secrets={"github": ("new", "old")}, sources=(source("SHOP_SECRET", "acme/shop"),))
    with structlog.testing.capture_logs() as lines:
        for repository, secret in (("other/a", "new"), ("other/b", "old"), ("acme/shop", "shop-secret-old")):
            assert made.send(tag(repository=repository, secret=secret)).status_code == 202
    assert [line["secret"] for line in lines if line["event"] == "delivery.stored"] == [
        "GITHUB_WEBHOOK_SECRET (1 of 2)",
        "GITHUB_WEBHOOK_SECRET (2 of 2)",
        "SHOP_SECRET (2 of 2)",
    ]
    keyring = made.app.extensions["intake"].keyrings["github"]
    assert [keyring.label(secret) for secret in keyring.secrets] == [
        "GITHUB_WEBHOOK_SECRET (1 of 2)",
        "GITHUB_WEBHOOK_SECRET (2 of 2)",
        "SHOP_SECRET (1 of 2)",
        "SHOP_SECRET (2 of 2)",
    ]


@pytest.mark.parametrize("encoding", ["gzip", "br", "identity", "GZIP", "x"])
def test_no_content_encoding_is_read(door: Door, encoding: str) -> None:
    assert door.send(tag(), **{"Content-Encoding": encoding}).status_code == 415


def test_nesting_is_capped_and_the_same_parser_reads_at_the_door_and_in_the_worker(door: Door) -> None:
    base = json.loads(tag().body)
    for levels, status in ((90, 202), (101, 400)):
        value: Any = 1
        for _ in range(levels):
            value = [value]
        assert door.send(signed({**base, "extra": value})).status_code == status


def test_each_field_is_bounded_and_of_its_type(door: Door) -> None:
    base = json.loads(tag().body)
    for change in (
        {"ref": "refs/tags/" + "v" * 2_000},
        {"ref": "refs/tags/a b"},
        {"ref": "refs/tags/a\nb"},
        {"after": "z" * 40},
        {"repository": {**base["repository"], "full_name": "acme/../shop"}},
        {"repository": {**base["repository"], "full_name": "acme/shop?x=1"}},
        {"repository": {**base["repository"], "full_name": "a/" + "b" * 600}},
        {"commits": [{"id": "a" * 40, "message": 7}]},
        {"deleted": "yes"},
    ):
        assert door.send(signed({**base, **change})).status_code == 400, change
    assert door.jobs == []


def test_no_address_of_a_payload_is_ever_called(door: Door) -> None:
    """Every text of the body that could be one is the address of a host that waits; nobody comes."""
    with ExitStack() as stack:
        trap, target = stack.enter_context(Host()), stack.enter_context(Host())
        base = json.loads(tag().body)
        lures = ("url", "html_url", "clone_url", "git_url", "ssh_url", "compare", "compare_url", "commits_url", "next", "links")
        body = {
            **base,
            **dict.fromkeys(lures, trap.url),
            "repository": {**base["repository"], **dict.fromkeys(lures, f"{trap.url}/repo")},
            "head_commit": {**base["head_commit"], **dict.fromkeys(lures, f"{trap.url}/commit")},
            "sender": dict.fromkeys((*lures, "avatar_url", "repos_url"), trap.url),
        }
        assert door.send(signed(body)).status_code == 202
        in_force = rules()
        in_force.targets["main"]
        http = stack.enter_context(make_client())
        tools = Tools(
            client=http,
            rules=type(in_force)(in_force.rules, {"main": _at(in_force, target.url)}),
            token=lambda _: "hush",
            gatherer=Gatherer(door.engine, Forges(http, {}), RepositoryNames(), in_force.commits),
        )
        Runner(door.engine, tools).run([door.jobs[0].id])
        assert trap.requests == []
        assert target.requests, "the configured host alone was asked"
        assert trap.url.encode() not in b"".join(target.requests), "nor are they passed on"


def _at(in_force: Any, url: str) -> Any:
    from dataclasses import replace

    return replace(in_force.targets["main"], url=url)


def test_neither_the_host_header_nor_the_body_chooses_where_an_answer_leads(door: Door) -> None:
    client = door.app.test_client()
    for headers in (
        {"Host": "evil.test"},
        {"Host": "evil.test", "X-Forwarded-Host": "evil.test", "X-Forwarded-Proto": "https"},
    ):
        for address in (
            *("/", "/jobs", "/sign-in", "/webhooks/github", "/openapi.json", "/readyz"),
            *("/jobs/", "/jobs//x", "/webhooks//github", "/api//v1/jobs", "/sign-in//", "/dashboard-static//x"),
        ):
            for method in ("GET", "POST"):
                answer = client.open(address, method=method, headers=headers)
                assert "evil" not in answer.headers.get("Location", ""), address
                assert "evil" not in answer.text, address


def test_ids_are_kept_beyond_the_time_in_which_a_provider_redelivers(door: Door) -> None:
    assert timedelta(days=30) <= KEEP_DELIVERIES
    sample = tag(delivery_id="once")
    assert door.send(sample).status_code == 202
    with door.engine.begin() as connection:
        connection.execute(deliveries.update().values(created_at=datetime.now(UTC) - timedelta(days=31)))
    again = door.send(sample)
    assert again.json is not None
    assert again.json["status"] == "duplicate"


def test_a_missing_id_does_not_switch_the_search_for_duplicates_off(door: Door) -> None:
    without = {name: value for name, value in tag().headers.items() if name != "X-GitHub-Delivery"}
    assert door.post("/webhooks/github", tag().body, without).status_code == 400
    old = {name: value for name, value in gitlab_tag().headers.items() if name != "Idempotency-Key"}
    statuses = [door.post("/webhooks/gitlab", gitlab_tag().body, old).status_code for _ in range(2)]
    assert statuses == [202, 200]


def test_the_same_tag_by_two_hooks_is_one_job(door: Door) -> None:
    for delivery_id, status in (("of-the-repository", 202), ("of-a-second-hook", 200)):
        assert door.send(tag(delivery_id=delivery_id)).status_code == status
    other = json.loads(tag().body) | {"organization": {"login": "acme"}}
    assert door.send(signed(other, PLAIN, X_GitHub_Delivery="of-the-organization")).status_code == 202
    assert len(door.rows(jobs)) == 1


def test_a_name_that_a_fork_chose_reaches_no_page_no_path_and_no_statement(door: Door) -> None:
    evil = "v1<img/src=x/onerror=alert(1)>'\";DROP/TABLE/jobs;--${jndi:x}{{7*7}}$(id)"
    base = json.loads(tag().body)
    message = "</script><script>alert(1)</script>\x00\u202e '; DROP TABLE jobs; --"
    head = {
        **base["head_commit"],
        "message": message,
        "author": {"name": message, "email": message},
        "added": ["../../etc/passwd"],
    }
    ref = f"refs/tags/{evil}".replace("{", "").replace("[", "")
    answer = door.send(signed({**base, "ref": "".join(c for c in ref if c not in " ~^:?*[\\"), "head_commit": head}))
    assert answer.status_code in (200, 202), answer.text
    client = door.app.test_client()
    assert sign_in(client, OPERATOR).status_code == 303
    assert answer.json is not None
    for address in ("/", "/deliveries", "/jobs", "/releases", f"/deliveries/{answer.json['delivery_id']}"):
        shown = client.get(address)
        assert shown.status_code == 200, address
        text = shown.text
        assert "<img" not in text
        assert "<script>alert" not in text
    assert door.rows(jobs) is not None, "the table is still there"


def test_the_webhook_secret_opens_nothing_but_the_door(door: Door) -> None:
    client = door.app.test_client()
    for secret in (PLAIN, TOKEN, "shop-secret"):
        headers, place = {"Authorization": f"Bearer {secret}"}, {"REMOTE_ADDR": "192.0.2.1"}
        assert client.get("/api/v1/jobs", headers=headers, environ_base=place).status_code == 401
        assert sign_in(client, secret).status_code == 403
    for token in (OPERATOR, VIEWER):
        assert door.send(tag(secret=token)).status_code == 401
        assert door.send(gitlab_tag(secret=token)).status_code == 401


def test_acts_of_the_pages_need_the_token_of_their_form_and_those_of_the_api_take_no_session(door: Door) -> None:
    client = door.app.test_client()
    sign_in(client, OPERATOR)
    assert client.post("/targets/main/pause").status_code == 403
    assert client.post("/api/v1/targets/main/pause").status_code == 401
    token = form_token(client.get("/targets"))
    assert client.post("/targets/main/pause", data={"form_token": token}).status_code == 303


@pytest.mark.parametrize(
    ("host", "secrets", "is_told"),
    [
        ("0.0.0.0", {"gitlab": (TOKEN,)}, True),
        ("192.0.2.1", {"gitlab": (SIGNING_TOKEN, TOKEN)}, True),
        ("127.0.0.1", {"gitlab": (TOKEN,)}, False),
        ("::1", {"gitlab": (TOKEN,)}, False),
        ("localhost", {"gitlab": (TOKEN,)}, False),
        ("0.0.0.0", {"gitlab": (SIGNING_TOKEN,)}, False),
        ("0.0.0.0", {"github": (PLAIN,)}, False),
    ],
)
def test_a_plain_token_that_would_arrive_without_tls_is_told_at_the_start(
    open_door: Callable[..., Door], host: str, secrets: dict[str, tuple[str, ...]], is_told: bool
) -> None:
    settings = open_door(webhook_secrets=secrets, host=host).app.extensions["services"].settings
    said = token_in_the_clear(settings, make_keyrings(settings, ()))
    assert (said is not None) is is_told
    assert said is None or (TOKEN not in said and "HTTPS" in said)

"""One run of the real processes in which everything goes right and wrong; then every secret of it is looked for everywhere."""

from __future__ import annotations

import base64
import contextlib
import http.cookiejar
import json
import os
import re
import signal
import socket
import sqlite3
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.parse import urlencode
from urllib.request import HTTPCookieProcessor, Request, build_opener, urlopen

import pytest
import redis

from tests.builders import SIGNING_TOKEN, incoming, payload, signed_by_gitlab
from tests.e2e.running import Running, command_of, descendants, fetch, running, wait_until
from tests.security.door import gitlab_tag, tag
from tests.security.hosts import Host, Script, say
from webhook.local.environment import free_port
from webhook.local.sample_webhooks import Sample

pytestmark = pytest.mark.e2e

SECRETS = {
    "GITHUB_WEBHOOK_SECRET": "hush-github-webhook-new,hush-github-webhook-old",
    "GITLAB_WEBHOOK_SECRET": f"hush-gitlab-webhook,{SIGNING_TOKEN}",
    "SHOP_SECRET": "hush-shop-webhook",
    "OPS_TOKEN": "hush-operator-token",
    "OPS_READ_TOKEN": "hush-viewer-token",
    "SENTRY_AUTH_TOKEN": "hush-endpoint",
    "ODD_TOKEN": "hush-odd-target",
    "GITHUB_TOKEN": "hush-github-api",
    "GITLAB_TOKEN": "hush-gitlab-api",
}
RULES = """\
[targets.local]
url = "http://127.0.0.1:{endpoint}"
org = "local"
token_env = "SENTRY_AUTH_TOKEN"
[targets.echo]
url = "{echo}"
org = "acme"
token_env = "ODD_TOKEN"
[targets.down]
url = "http://127.0.0.1:{down}"
org = "acme"
token_env = "ODD_TOKEN"
[targets.barred]
url = "http://127.0.0.1:{endpoint}"
org = "local"
token_env = "ODD_TOKEN"
[[rules]]
repo = "*:*"
target = "local"
projects = ["app"]
set_commits = "skip"
continue = true
[[rules]]
repo = "*:*"
target = ["echo", "down", "barred"]
projects = ["app"]
[[sources]]
provider = "github"
secret_env = "SHOP_SECRET"
repositories = ["bound/*"]
"""


def echo(status: int) -> Script:
    """Says back all that it was sent, as a proxy that helps with debugging might."""

    def script(connection: socket.socket, host: Host) -> None:
        request = host.requests[-1].partition(b"\r\n\r\n")[0].decode()
        say(status, json.dumps({"message": f"refused: {request}", "detail": request}).encode())(connection, host)

    return script


@pytest.fixture
def stack(tmp_path: Path) -> Iterator[Running]:
    endpoint = free_port()
    with Host(echo(400)) as host, Host(echo(401)) as forge:
        rules = tmp_path / "tagship.toml"
        rules.write_text(RULES.format(endpoint=endpoint, echo=host.url, down=free_port()), encoding="utf-8")
        environ = {"TAGSHIP_CONFIG": str(rules), "RELEASES_PORT": str(endpoint), "LOG_LEVEL": "DEBUG", **SECRETS}
        with running(tmp_path / "var", GITHUB_API_URL=forge.url, GITLAB_URL=forge.url, **environ) as made:
            made.endpoint = f"http://127.0.0.1:{endpoint}"
            yield made


def values() -> dict[str, bytes]:
    """What is looked for: each secret, also as it stands in a Basic header and in hexadecimal digits."""
    found = {}
    for name, text in SECRETS.items():
        for number, secret in enumerate(text.split(",")):
            raw = secret.encode()
            found[f"{name}[{number}]"] = raw
            found[f"{name}[{number}] in base64"] = base64.b64encode(raw).rstrip(b"=")
            found[f"{name}[{number}] in hex"] = raw.hex().encode()
    return found


def send_everything(stack: Running) -> set[bytes]:
    """Authentic, forged, bound, broken, repeated; the signatures that went along."""
    new, old = SECRETS["GITHUB_WEBHOOK_SECRET"].split(",")
    token = SECRETS["GITLAB_WEBHOOK_SECRET"].split(",")[0]
    samples = [
        (tag("v1.0.0", secret=new), 202),
        (tag("v1.0.1", secret=old), 202),
        (tag("v1.0.2", repository="bound/shop", secret="hush-shop-webhook"), 202),
        (tag("v1.0.3", repository="bound/shop", secret=new), 401),
        (tag("v1.0.4", secret="forged"), 401),
        (gitlab_tag("v2.0.0", secret=token), 202),
        (gitlab_tag("v2.0.1", secret="hush-operator-token"), 401),
        (tag("latest", secret=new), 200),
        (tag("v1.0.0\x1b[2J", secret=new), 400),
    ]
    request = signed_by_gitlab(incoming("gitlab", payload("gitlab", "tag_push_hook__annotated"), event="Tag Push Hook"))
    samples.append((Sample("gitlab", dict(request.headers), request.body), 401))  # its time is long past
    for sample, status in samples:
        extra = {"Cookie": "s=hush-operator", "Authorization": "Bearer hush-operator", "X-Api-Key": "hush-operator-token"}
        sent = Sample(sample.provider, {**sample.headers, **extra}, sample.body)
        assert stack.post(sent)[0] == status, sample.headers
    return {sample.headers["X-Hub-Signature-256"].encode() for sample, _ in samples if sample.provider == "github"}


def api(stack: Running, path: str, body: bytes | None = None, token: str = SECRETS["OPS_TOKEN"]) -> tuple[int, Any]:
    return fetch(f"{stack.url}{path}", {"Authorization": f"Bearer {token}"}, body)


def has_release(stack: Running, version: str) -> bool:
    path = f"{stack.endpoint}/api/0/organizations/local/releases/{version}/"
    return fetch(path, {"Authorization": "Bearer hush-endpoint"}, None)[0] == 200


def all_settled(stack: Running) -> bool:
    """Each job has ended, or has had a try, or waits for a target that is paused."""
    items = api(stack, "/api/v1/jobs?limit=200")[1]["items"]
    return all(job["status"] != "running" and (job["attempts"] or job["waiting"]) for job in items)


def crash(stack: Running) -> None:
    """Kill a worker and a web process, and lose the broker's memory."""
    for part in ("worker run", "webhook serve", "valkey-server"):
        for pid in stack.pids(part):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
    time.sleep(1)
    wait_until(lambda: answers(f"{stack.url}/healthz"), 60)


def answers(url: str) -> bool:
    try:
        with urlopen(url, timeout=2) as answer:
            return bool(answer.status == 200)
    except (URLError, OSError):
        return False


def read(opener: Any, url: str, data: bytes | None = None, **headers: str) -> bytes:
    """Head and body of an answer, whatever its status."""
    try:
        answer = opener.open(Request(url, data=data, headers=headers), timeout=20)
    except HTTPError as problem:
        answer = problem
    with answer:
        return str(answer.headers).encode() + bytes(answer.read())


def read_all_answers(stack: Running) -> tuple[dict[str, bytes], list[bytes]]:
    """Every page and API answer that can be had, and the cookies that opened them. Set-Cookie is what the browser is owed."""
    jar = http.cookiejar.CookieJar()
    opener = build_opener(HTTPCookieProcessor(jar))
    found: dict[str, bytes] = {}
    form = read(opener, f"{stack.url}/sign-in")
    form_token = re.search(rb'name="form_token" value="([0-9a-f]{64})"', form)
    assert form_token is not None
    for given in ("hush-github-api", SECRETS["OPS_TOKEN"]):
        data = urlencode({"token": given, "form_token": form_token[1].decode()}).encode()
        found[f"sign in with {given[:8]}"] = read(opener, f"{stack.url}/sign-in", data)
    jobs = [job["id"] for job in api(stack, "/api/v1/jobs?limit=200")[1]["items"]]
    ids = [delivery["id"] for delivery in api(stack, "/api/v1/deliveries?limit=200")[1]["items"]]
    assert len(jobs) >= 12
    assert len(ids) >= 8
    pages = [
        "/",
        "/deliveries",
        "/jobs",
        "/releases",
        "/repositories",
        "/targets",
        "/rules",
        "/audit",
        "/nowhere",
        "/webhooks/github",
    ]
    for path in [*pages, *(f"/jobs/{job}" for job in jobs), *(f"/deliveries/{delivery}" for delivery in ids)]:
        found[path] = read(opener, stack.url + path)
    calls = [
        "stats",
        "targets",
        "jobs",
        "deliveries",
        "nothing",
        *(f"jobs/{job}" for job in jobs),
        *(f"deliveries/{d}" for d in ids),
    ]
    for path in [*(f"/api/v1/{call}" for call in calls), "/metrics", "/openapi.json", "/readyz", "/healthz"]:
        for token in ("hush-operator-token", "hush-viewer-token", "wrong"):
            found[f"{path} as {token[-6:]}"] = read(build_opener(), stack.url + path, Authorization=f"Bearer {token}")
    for job in jobs:
        api(stack, f"/api/v1/jobs/{job}/replay", b"{}")
    for path in (
        "/",
        "/api/0/",
        "/api/0/organizations/local/releases/",
        "/api/0/organizations/local/releases/v1.0.0/",
        "/nowhere",
    ):
        found[f"endpoint {path}"] = read(build_opener(), stack.endpoint + path, Authorization="Bearer hush-endpoint")
    return found, [cookie.value.encode() for cookie in jar if cookie.value]


def break_the_ledger(stack: Running) -> None:
    """For a moment nothing can be stored: the faults of the database are told."""
    with sqlite3.connect(stack.folder / "tagship.sqlite3", timeout=20) as database:
        database.execute("ALTER TABLE payloads RENAME TO lost")
    assert stack.post(tag("v9.0.0", secret="hush-github-webhook-new"))[0] == 503
    with sqlite3.connect(stack.folder / "tagship.sqlite3", timeout=20) as database:
        database.execute("ALTER TABLE lost RENAME TO payloads")


def broker_memory(stack: Running) -> bytes:
    line = next(line for line in stack.lines if "embedded Valkey" in line)
    client = redis.Redis(port=int(line.rpartition(":")[2]))
    found = [client.dump(key) or b"" for key in client.keys("*")]
    client.close()
    return b"".join(found)


def test_no_secret_of_a_run_stands_in_any_log_database_answer_page_or_process_list(stack: Running) -> None:
    signatures = send_everything(stack)
    wait_until(lambda: has_release(stack, "v1.0.0"), 60)
    wait_until(lambda: all_settled(stack), 60)
    crash(stack)
    break_the_ledger(stack)
    shown, cookies = read_all_answers(stack)
    memory = broker_memory(stack)
    commands = "\n".join(
        command for _, command in [(0, command_of(stack.process.pid)), *descendants(stack.process.pid)]
    ).encode()
    assert b"webhook serve" in commands
    assert stack.stop() == 0

    log = "\n".join(stack.lines)
    for word in (
        "job.succeeded",
        "job.failed",
        "job.retrying",
        "delivery.refused",
        "storage.failed",
        "target.paused",
        "died (signal",
    ):
        assert word in log, f"the run did not provoke {word}"
    looked_at = {
        "the log": log.encode(),
        "the process list": commands,
        "the broker": memory,
        **{f"the file {path.name}": path.read_bytes() for path in stack.folder.rglob("*") if path.is_file()},
        **{f"the answer of {path}": text for path, text in shown.items()},
    }
    assert "the file tagship.sqlite3" in looked_at
    wanted = {**values(), **{f"signature {n}": text for n, text in enumerate(signatures)}}
    hits = [(where, name) for where, text in looked_at.items() for name, value in wanted.items() if value in text]
    assert hits == [], hits[:20]
    for cookie in cookies:
        assert [where for where, text in looked_at.items() if cookie in text and "sign in" not in where] == []
    lines = [line.partition("| ")[2] for line in stack.lines]
    assert all(line.isprintable() for line in lines), "no line holds a control character"
    events = [json.loads(line) for line in lines if line.startswith("{")]
    assert len(events) > 50

"""deploy/nginx with a real nginx: the dashboard and the endpoint's pages below a path of the host, in Chromium."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from shared.config.env_files import read_env_file
from tests.dashboard.browser import MISSING, Visit, find_chromium, opened
from tests.e2e.running import SECRETS, Running, fetch, running, wait_until
from webhook.local.environment import free_port
from webhook.local.sample_webhooks import SampleCommit, github_push, sha, sign_github
from webhook.local.stack import accepts

ROOT = Path(__file__).resolve().parents[2]
NGINX = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin")
WHY_NOT = "no nginx is installed (Debian: apt-get install nginx-light)" if NGINX is None else MISSING
pytestmark = [
    pytest.mark.world,
    pytest.mark.skipif(NGINX is None or find_chromium() is None, reason=WHY_NOT),
    pytest.mark.timeout(600),
]
OPS_TOKEN = "0f4c7a1e9b3d5826c7e1a94f"
RULES = """
[[rules]]
repo = "github:acme/shop"
refs = ["refs/tags/bad*"]
projects = ["no-such-project"]

[[rules]]
repo = "github:acme/*"
projects = ["app"]
"""


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    folder = tmp_path_factory.mktemp("stack")
    rules = folder / "tagship.toml"
    rules.write_text(RULES, encoding="utf-8")
    with running(folder, TRUSTED_PROXIES="127.0.0.1", OPS_TOKEN=OPS_TOKEN, TAGSHIP_CONFIG=str(rules)) as started:
        yield started


@pytest.fixture(scope="module")
def host(stack: Running, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of an nginx with the second server of deploy/nginx/tagship.conf, without TLS."""
    folder, port = tmp_path_factory.mktemp("nginx"), free_port()
    text = (ROOT / "deploy/nginx/tagship.conf").read_text(encoding="utf-8")
    server = text[text.rindex("\nserver {") :]
    server = re.sub(r"\n *ssl_certificate[^\n]*", "", server).replace("listen 443 ssl;", f"listen 127.0.0.1:{port};")
    server = (
        server.replace(":8000", f":{stack.port}").replace(":8001", f":{stack.releases_port}").replace("$host;", "$http_host;")
    )
    user = "user root;" if os.geteuid() == 0 else ""  # else its workers may not write into a folder of root's
    (folder / "nginx.conf").write_text(
        f"{user} daemon off; pid {folder}/pid; error_log {folder}/error.log;\nevents {{}}\n"
        f"http {{ access_log off; client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy;\n"
        f"fastcgi_temp_path {folder}/f; uwsgi_temp_path {folder}/u; scgi_temp_path {folder}/s;\n{server}\n}}\n",
        encoding="utf-8",
    )
    process = subprocess.Popen([str(NGINX), "-p", str(folder), "-c", str(folder / "nginx.conf")])
    try:
        wait_until(lambda: accepts("127.0.0.1", port), 20)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(20)


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with opened() as found:
        yield found


def send(host: str, tag: str) -> int:
    payload = github_push(repository="acme/shop", ref=f"refs/tags/{tag}", head=SampleCommit(tag), after=sha(f"object {tag}"))
    sample = sign_github(payload, SECRETS["GITHUB_WEBHOOK_SECRET"])
    return fetch(f"{host}/tagship/webhooks/github", sample.headers, sample.body)[0]


def test_sign_in_every_page_a_replay_and_sign_out_below_the_prefix(stack: Running, host: str, browser: Any) -> None:
    assert (send(host, "v1.0.0"), send(host, "bad1")) == (202, 202)
    stack.await_line('job.failed.*"version":"bad1"')
    stack.await_line('job.succeeded.*"version":"v1.0.0"')
    visit = Visit(browser, f"{host}/tagship")  # at its end: no request left the prefix, no fault on the console
    page = visit.open("/jobs?status=failed")
    assert page.url.startswith(f"{host}/tagship/sign-in?next=")
    page.get_by_label("Token").fill(OPS_TOKEN)
    page.get_by_role("button", name="Sign in").click()
    page.get_by_role("heading", name="Jobs").wait_for()
    assert page.url == f"{host}/tagship/jobs?status=failed"
    assert {cookie["path"] for cookie in visit.context.cookies()} == {"/tagship"}
    opened_pages = set()
    for link in page.locator("nav a").evaluate_all("all => all.map(one => one.href)"):
        page.goto(link)
        assert page.evaluate("getComputedStyle(document.body).fontFamily") != "", link
        assert page.evaluate("[...document.styleSheets].every(one => one.cssRules.length > 0)"), link
        opened_pages.add(page.get_by_role("heading", level=1).inner_text())
    assert len(opened_pages) >= 7
    page = visit.open("/jobs?status=failed")
    page.get_by_role("link", name="bad1", exact=True).click()
    page.get_by_role("button", name="Replay").click()
    assert page.url.startswith(f"{host}/tagship/jobs/")
    page.get_by_role("link", name="Audit log").click()
    assert page.get_by_role("rowheader", name="job replay").is_visible()
    page.get_by_role("button", name="Sign out").click()
    page.get_by_role("heading", name="Sign in").wait_for()
    assert page.url == f"{host}/tagship/sign-in"
    visit.close()


def test_the_endpoints_pages_below_another_prefix(stack: Running, host: str, browser: Any) -> None:
    assert send(host, "v2.0.0") == 202
    stack.await_line('job.succeeded.*"version":"v2.0.0"')
    token = read_env_file(stack.folder / "secrets.env")["SENTRY_AUTH_TOKEN"]
    context = browser.new_context(http_credentials={"username": token, "password": ""})
    asked: list[tuple[str, int]] = []
    page = context.new_page()
    page.on("response", lambda response: asked.append((response.url, response.status)))
    page.goto(f"{host}/releases/")
    page.get_by_role("link", name="v2.0.0", exact=True).click()
    page.get_by_role("heading", name="v2.0.0").wait_for()
    page.get_by_role("link", name="local", exact=True).click()
    page.get_by_role("link", name="v2.0.0", exact=True).wait_for()
    context.close()
    assert [one for one in asked if not one[0].startswith(f"{host}/releases/")] == []
    assert {status for _, status in asked} <= {200, 401}  # 401: what makes the browser give the token


def test_a_body_of_24_mb_reaches_the_receiver_and_the_sender_is_known_by_its_own_address(host: str) -> None:
    headers = {
        "Content-Type": "application/json",
        "X-GitHub-Event": "push",
        "X-GitHub-Delivery": "1",
        "X-Hub-Signature-256": "x",
    }
    status, problem = fetch(f"{host}/tagship/webhooks/github", headers, b" " * 24_000_000, timeout=120)
    assert (status, problem["title"]) == (401, "Unauthorized")

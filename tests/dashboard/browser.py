"""A real Chromium for tests and screenshots, where one is installed, and the pages served by the product's own entry."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

from webhook.local.environment import free_port
from webhook.local.stack import answers

ROOT = Path(__file__).resolve().parents[2]
ARGUMENTS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
MISSING = "no chromium is installed (Debian: apt-get install chromium), so the pages are not tried in a browser"


def find_chromium() -> str | None:
    return shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")


@contextmanager
def opened() -> Iterator[Browser]:
    found = find_chromium()
    assert found is not None, MISSING
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=found, args=ARGUMENTS)
        yield browser
        browser.close()


class Visit:
    """A browser window that keeps what must not happen: faults on the console, and requests to another host."""

    def __init__(self, browser: Browser, url: str, *, scheme: str = "light", has_script: bool = True) -> None:
        self.url = url
        self.faults: list[str] = []
        self.foreign: list[str] = []
        self.context: BrowserContext = browser.new_context(
            color_scheme="dark" if scheme == "dark" else "light",
            java_script_enabled=has_script,
            viewport={"width": 1200, "height": 800},
        )
        self.page: Page = self.context.new_page()
        self.page.on("console", lambda message: self.faults.append(message.text) if message.type == "error" else None)
        self.page.on("pageerror", lambda error: self.faults.append(str(error)))
        self.page.on("dialog", lambda dialog: self.faults.append(f"dialog {dialog.message}"))
        self.page.on("request", lambda request: None if request.url.startswith(url) else self.foreign.append(request.url))

    def open(self, address: str) -> Page:
        self.page.goto(self.url + address)
        return self.page

    def sign_in(self, token: str) -> None:
        page = self.open("/sign-in")
        page.get_by_label("Token").fill(token)
        page.get_by_role("button", name="Sign in").click()
        page.get_by_role("heading", name="Overview").wait_for()

    def close(self) -> None:
        self.context.close()
        assert self.faults == []
        assert self.foreign == []


@contextmanager
def served(environ: Mapping[str, str]) -> Iterator[str]:
    """The address of `python -m webhook serve` with these settings."""
    port = free_port()
    kept = {name: value for name, value in os.environ.items() if name in ("PATH", "HOME", "LANG", "TMPDIR")}
    process = subprocess.Popen(
        [sys.executable, "-m", "webhook", "serve"],
        cwd=ROOT,
        env={**kept, "PORT": str(port), "WEB_CONCURRENCY": "1", "LOG_LEVEL": "ERROR", **environ},
        start_new_session=True,
    )
    try:
        deadline = time.monotonic() + 30
        while not answers(f"http://127.0.0.1:{port}/healthz"):
            assert process.poll() is None, "the server ended"
            assert time.monotonic() < deadline, "the server did not start"
            time.sleep(0.05)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(20)

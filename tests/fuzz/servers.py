"""The servers that are tried, as processes: what they printed, how much memory they hold."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

from tests.e2e.running import ROOT, descendants
from webhook.local.environment import free_port

GITHUB, GITLAB, SIGNING = "fuzz-github-secret", "fuzz-gitlab-token", "whsec_ZnV6ei1zaWduaW5nLWtleS1vZi0zMi1ieXRlcyEhISE="
SHOP = "fuzz-shop-secret"
OPS, READ, ENDPOINT = "fuzz-ops-token-1", "fuzz-read-token-2", "fuzz-endpoint-token"
SECRETS = (GITHUB, GITLAB, SIGNING, SHOP, OPS, READ, ENDPOINT)
RULES = """\
[[rules]]
name = "all"
repo = "*:*"
refs = ["refs/tags/*", "refs/heads/{default_branch}"]
projects = ["app"]
continue = true

[[rules]]
name = "named"
repo = "*:acme/*"
refs = ["refs/*", "!refs/tags/*-nightly"]
projects = ["app"]
release = "{component}@{version}"

[[sources]]
provider = "github"
secret_env = "SHOP_SECRET"
repositories = ["bound/*"]
"""
# What no answer to a request may leave in the log: an exception that nobody planned for.
UNHANDLED = re.compile(r"Traceback|request\.unexpected|\"level\": \"(?:error|critical)\"|panicked|Unhandled|RuntimeWarning")


class Server:
    """One process (and its children) that serves on `port`."""

    def __init__(self, module: str, environ: Mapping[str, str], port: int) -> None:
        self.name, self.port = module, port
        self.unhandled: list[str] = []
        self.log_bytes = 0
        self._said: list[str] = []
        kept = {name: value for name, value in os.environ.items() if name in ("PATH", "HOME", "LANG", "TMPDIR")}
        self.process = subprocess.Popen(
            [sys.executable, "-m", module, "serve"],
            cwd=ROOT,
            env={**kept, **environ, "LOG_FORMAT": "json", "WEB_CONCURRENCY": "1", "PYTHONUNBUFFERED": "1"},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        try:
            self._await()
        except BaseException:
            self.stop()
            raise

    def _read(self) -> None:
        assert self.process.stdout is not None
        for raw in self.process.stdout:
            line = raw.decode("utf-8", "replace")
            self.log_bytes += len(raw)
            self._said = [*self._said[-50:], line]
            if UNHANDLED.search(line) or any(secret in line for secret in SECRETS):
                self.unhandled.append(line)

    def _await(self) -> None:
        deadline = time.monotonic() + 60
        while True:
            try:
                with urlopen(f"http://127.0.0.1:{self.port}/healthz", timeout=2):
                    return
            except (URLError, OSError):
                assert time.monotonic() < deadline, "".join(self._said)
                assert self.process.poll() is None, "".join(self._said)
                time.sleep(0.05)

    def resident(self) -> int:
        """Bytes of memory that it and its children hold."""
        found = 0
        for pid, _ in [(self.process.pid, ""), *descendants(self.process.pid)]:
            try:
                found += int((Path("/proc") / str(pid) / "statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
            except OSError:
                continue
        return found

    def stop(self) -> int:
        self.process.terminate()
        code = self.process.wait(40)
        self._reader.join(10)
        if self.process.stdout is not None:
            self.process.stdout.close()
        return code


def start(folder: Path) -> tuple[Server, Server]:
    """The receiver with its API, and the embedded endpoint, each over a database of its own; no broker, no worker."""
    rules = folder / "tagship.toml"
    rules.write_text(RULES, encoding="utf-8")
    web, releases = free_port(), free_port()
    environ = {
        "DATA_DIR": str(folder),
        "TAGSHIP_CONFIG": str(rules),
        "PORT": str(web),
        "RELEASES_PORT": str(releases),
        "GITHUB_WEBHOOK_SECRET": GITHUB,
        "GITLAB_WEBHOOK_SECRET": f"{GITLAB},{SIGNING}",
        "SHOP_SECRET": SHOP,
        "TRUSTED_PROXIES": "127.0.0.1",
        "OPS_TOKEN": OPS,
        "OPS_READ_TOKEN": READ,
        "SENTRY_AUTH_TOKEN": ENDPOINT,
    }
    kept = {name: value for name, value in os.environ.items() if name in ("PATH", "HOME", "LANG", "TMPDIR")}
    upgrade = [sys.executable, "-m", "webhook", "db", "upgrade"]
    subprocess.run(upgrade, cwd=ROOT, env={**kept, **environ}, check=True, capture_output=True)
    first = Server("webhook", environ, web)
    try:
        return first, Server("releases", environ, releases)
    except BaseException:
        first.stop()
        raise

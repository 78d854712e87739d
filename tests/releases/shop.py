"""A served endpoint and a git repository beside it, for tests with real clients."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.releases.conftest import ENVIRON, ROOT, TOKEN, serving

CLI = Path(sys.executable).with_name("sentry-cli")
PERSON = {
    f"GIT_{role}_{what}": value
    for role in ("AUTHOR", "COMMITTER")
    for what, value in (("NAME", "Ann Lee"), ("EMAIL", "ann@acme.test"))
}


@dataclass
class Shop:
    """A served endpoint and a git repository of three commits whose remote it knows."""

    address: str
    folder: Path
    home: Path
    data: Path

    def git(self, *arguments: str) -> str:
        environ = {**os.environ, **PERSON, "HOME": str(self.home), "GIT_CONFIG_NOSYSTEM": "1"}
        done = subprocess.run(["git", *arguments], cwd=self.folder, env=environ, capture_output=True, text=True, check=True)
        return done.stdout.strip()

    def commit(self, name: str) -> str:
        (self.folder / name).write_text(name)
        self.git("add", name)
        self.git("commit", "-q", "-m", f"add {name}")
        return self.git("rev-parse", "HEAD")

    def cli(self, *arguments: str, program: Path = CLI) -> str:
        """What it prints; it must end well."""
        done = self.run(program, *arguments)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def run(self, *command: str | Path) -> subprocess.CompletedProcess[str]:
        """A client in the repository, with its settings in the environment."""
        environ = {
            "PATH": os.environ["PATH"],
            "HOME": str(self.home),
            "SENTRY_URL": self.address,
            "SENTRY_AUTH_TOKEN": TOKEN,
            "SENTRY_ORG": "acme",
            "SENTRY_PROJECT": "shop",
        }
        return subprocess.run(command, cwd=self.folder, env=environ, capture_output=True, text=True, check=False)

    def fetch(self, path: str, body: Any = None) -> bytes:
        """What a GET answers, or a POST of `body`. Paths without a leading slash are below the organization."""
        url = f"{self.address}/api/0{path if path.startswith('/') else f'/organizations/acme/{path}'}"
        headers = {"Authorization": f"Bearer {TOKEN}", "Content-Type": "application/json"}
        request = urllib.request.Request(url, None if body is None else json.dumps(body).encode(), headers)
        with urllib.request.urlopen(request, timeout=10) as answer:
            return bytes(answer.read())

    def api(self, path: str, body: Any = None) -> Any:
        return json.loads(self.fetch(path, body))

    def ids(self, version: str) -> list[str]:
        return [commit["id"] for commit in self.api(f"releases/{version}/commits/")]


@contextmanager
def open_shop(folder: Path) -> Iterator[Shop]:
    """An empty repository that knows where it comes from."""
    home, data, repository = (folder / name for name in ("home", "data", "repository"))
    for path in (home, data, repository):
        path.mkdir()
    with serving({**ENVIRON, "DATA_DIR": str(data)}) as address:
        made = Shop(address, repository, home, data)
        made.git("init", "-q", "-b", "main")
        made.git("remote", "add", "origin", "https://github.com/acme/shop.git")
        yield made


def know_repository(shop: Shop) -> None:
    """What a person does once, so that `--auto` and `--commit` find the repository."""
    command = [sys.executable, "-m", "releases", "repo", "create", "acme", "acme/shop", "--provider", "github"]
    command += ["--url", "https://github.com/acme/shop"]
    subprocess.run(command, cwd=ROOT, env={**os.environ, "DATA_DIR": str(shop.data)}, check=True, capture_output=True)

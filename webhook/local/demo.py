"""`make demo`: a throw-away stack, signed sample webhooks through the front door, their releases read back."""

from __future__ import annotations

import json
import os
import tempfile
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.parse import quote
from urllib.request import Request, urlopen

from shared.domain.provider_settings import NO_APIS
from webhook.local.environment import free_port
from webhook.local.fault_proxy import Fault
from webhook.local.run import say, stop_on_signals
from webhook.local.sample_steps import Step, steps
from webhook.local.stack import Stack, build
from webhook.local.supervisor import StackFailed, Supervisor

_PATIENCE_SECONDS = 45.0
_PASSED_ON = ("PATH", "HOME", "LANG", "LC_ALL", "TMPDIR", "TERM", "NO_COLOR", "LD_LIBRARY_PATH", "SSL_CERT_FILE")
_RULES = """\
[[rules]]
name = "shop tags"
repo = "github:acme/shop"
refs = ["refs/tags/v*"]
projects = ["app"]
release = "shop@{version}"
environment = "production"

[[rules]]
name = "everything else"
repo = "*:acme/*"
refs = ["refs/tags/*", "refs/heads/{default_branch}"]
projects = ["app"]
"""


def demo() -> int:
    """Exit code 0 when every expected release is there, else 1 with what is missing."""
    with tempfile.TemporaryDirectory(prefix="tagship-demo-") as folder:
        return _demo_in(Path(folder))


def _demo_in(folder: Path) -> int:
    rules = folder / "tagship.toml"
    rules.write_text(_RULES, encoding="utf-8")
    endpoint, between = free_port(), free_port()
    environ = {name: os.environ[name] for name in _PASSED_ON if name in os.environ} | {
        "DATA_DIR": str(folder),
        "TAGSHIP_CONFIG": str(rules),
        "PORT": str(free_port()),
        "RELEASES_PORT": str(endpoint),
        "WEB_CONCURRENCY": "1",
        "LOG_FORMAT": "console",
        **NO_APIS,  # the sample repositories exist nowhere: nobody is asked about them
    }
    fault = Fault(between, f"http://127.0.0.1:{endpoint}", {"shop@1.4.1"})
    stack = build(environ, is_terminal=True, endpoint_url=f"http://127.0.0.1:{between}")
    for note in stack.notes:
        say(note)
    supervisor = Supervisor(stack.parts, say=say)
    stop_on_signals(supervisor)
    scenario = Scenario(stack, f"http://127.0.0.1:{endpoint}", fault)
    try:
        supervisor.start()
        say(f"ready: http://127.0.0.1:{stack.settings.port}\n")
        thread = threading.Thread(target=scenario.play, args=(supervisor.stopping,), daemon=True)
        thread.start()
        supervisor.watch()
    except StackFailed as problem:
        scenario.missing.append(str(problem))
    finally:
        supervisor.stop()
        fault.close()
    return scenario.conclude()


class Scenario:
    """Plays the steps one by one and keeps what is missing."""

    def __init__(self, stack: Stack, endpoint: str, fault: Fault) -> None:
        self.missing: list[str] = []
        self._lines: list[str] = []
        self._stack = stack
        self._endpoint = endpoint
        self._fault = fault
        self._played = False

    def play(self, stopping: threading.Event) -> None:
        secrets = self._stack.settings.webhook_secrets
        try:
            for step in steps(secrets["github"][0], secrets["gitlab"][0]):
                if stopping.is_set():
                    return
                self._play(step)
            if self._fault.hits != 1:
                self.missing.append("the endpoint was to answer 503 once, and did not")
            self._played = True
        except (URLError, OSError, ValueError) as problem:
            self.missing.append(f"{type(problem).__name__}: {problem}")
        finally:
            stopping.set()

    def conclude(self) -> int:
        say("\nreleases, as read back from the endpoint:")
        for line in self._lines:
            say(line)
        if not self._played and not self.missing:
            self.missing.append("the demo was stopped before its end")
        for what in self.missing:
            say(f"missing: {what}")
        say("demo: every expected release is there" if not self.missing else "demo: not everything arrived")
        return 1 if self.missing else 0

    def _play(self, step: Step) -> None:
        started = time.monotonic()
        url = f"http://127.0.0.1:{self._stack.settings.port}/webhooks/{step.sample.provider}"
        status, answer = _fetch(url, step.sample.headers, step.sample.body)
        why = f": {answer.get('reason')}, {answer.get('detail')}" if answer.get("reason") else ""
        say(f"> {step.sample.says:<58} {status} {answer.get('status')}{why}")
        if answer.get("status") != step.status:
            self.missing.append(f"{step.sample.says}: answered {answer}, wanted {step.status}")
        if step.version is not None:
            self._await_release(step, started)

    def _await_release(self, step: Step, started: float) -> None:
        assert step.version is not None  # noqa: S101
        path = f"{self._endpoint}/api/0/organizations/local/releases/{quote(step.version, safe='')}/"
        token = {"Authorization": f"Bearer {self._stack.settings.sentry_auth_token}"}
        while time.monotonic() < started + _PATIENCE_SECONDS:
            status, release = _fetch(path, token, None)
            if status == 200 and release["deployCount"] == step.deploys:
                seconds = time.monotonic() - started
                _, commits = _fetch(f"{path}commits/", token, None)
                self._report(release, commits, seconds)
                return
            time.sleep(0.02)
        self.missing.append(f"the release {step.version}")

    def _report(self, release: dict[str, Any], commits: Any, seconds: float) -> None:
        projects = ", ".join(project["slug"] for project in release["projects"])
        deploys = f", {_counted(release['deployCount'], 'deploy')}" if release["deployCount"] else ""
        line = f"  {release['version']}  project {projects}, {_counted(len(commits), 'commit')}{deploys}, after {seconds:.2f} s"
        say(f"  release {line.strip()}")
        self._lines.append(line)
        for commit in commits:
            author = (commit.get("author") or {}).get("name") or "unknown"
            self._lines.append(f"      {commit['id'][:12]}  {author}: {commit['message'].partition(chr(10))[0]}")


def _fetch(url: str, headers: Mapping[str, str], body: bytes | None) -> tuple[int, Any]:
    request = Request(url, data=body, headers=dict(headers), method="GET" if body is None else "POST")  # noqa: S310
    try:
        with urlopen(request, timeout=10) as answer:  # noqa: S310
            return int(answer.status), json.loads(answer.read())
    except HTTPError as answer:
        return answer.code, json.loads(answer.read() or b"{}")


def _counted(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"

"""The container image, built and run as the Dockerfile says: a webhook through it, and what it may not do."""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import partial
from urllib.parse import quote

import pytest

from tests.deploy import containers
from tests.deploy.containers import Container, Containers
from tests.e2e.running import SECRETS, fetch, wait_until
from webhook.local.environment import free_port
from webhook.local.sample_webhooks import SampleCommit, github_push, sha, sign_github
from webhook.local.stack import accepts, answers

WHY_NOT = containers.why_not()
pytestmark = [pytest.mark.world, pytest.mark.skipif(WHY_NOT is not None, reason=str(WHY_NOT)), pytest.mark.timeout(1_500)]
TOKEN = "made-up-token-of-the-endpoint"
PROCESSES = ("web", "worker", "sweeper", "releases")


@pytest.fixture(scope="module", autouse=True)
def image() -> None:
    containers.build()


class Stack:
    """One container a process on one volume, as in compose.yaml, with 256 MiB each; or all in one."""

    def __init__(self, all_in: Containers, *, is_one: bool) -> None:
        web, releases, broker = free_port(), free_port(), free_port()
        self.url, self.endpoint = f"http://127.0.0.1:{web}", f"http://127.0.0.1:{releases}"
        environ = {
            **SECRETS,
            "SENTRY_AUTH_TOKEN": TOKEN,
            "HOST": "127.0.0.1",
            "PORT": str(web),
            "RELEASES_PORT": str(releases),
            "WEB_CONCURRENCY": "1",
            "WORKER_CONCURRENCY": "2",
            "GITHUB_API_URL": "off",
            "GITLAB_URL": "off",
            "LOG_FORMAT": "json",
        }
        self.parts: dict[str, Container] = {}
        if is_one:
            self.parts["all"] = one = all_in.start(memory="512m", **environ)
            wait_until(lambda: "ready: " in one.logs(), 180, one.logs)
            return
        environ["BROKER_URL"] = f"redis://127.0.0.1:{broker}/0"
        start = partial(all_in.start, **environ)
        find = "from webhook.local.broker import find_valkey; print(find_valkey())"
        finder = all_in.start("-c", find, entrypoint="python")
        assert finder.wait() == 0, finder.logs()
        valkey = all_in.start("--port", str(broker), "--bind", "127.0.0.1", "--save", "", entrypoint=finder.logs().strip())
        wait_until(lambda: accepts("127.0.0.1", broker), 30, valkey.logs)
        migration = start("webhook", "db", "upgrade")
        assert migration.wait() == 0, migration.logs()
        for name, command in zip(PROCESSES, ("webhook serve", "worker run", "worker sweep", "releases serve"), strict=True):
            self.parts[name] = start(*command.split())
        wait_until(lambda: answers(f"{self.url}/healthz"), 90, self.parts["web"].logs)
        wait_until(lambda: answers(f"{self.endpoint}/healthz"), 90, self.parts["releases"].logs)
        wait_until(lambda: "worker.ready" in self.parts["worker"].logs(), 90, self.parts["worker"].logs)
        wait_until(lambda: "sweeper.ready" in self.parts["sweeper"].logs(), 90, self.parts["sweeper"].logs)

    def release(self, version: str) -> bool:
        path = f"{self.endpoint}/api/0/organizations/local/releases/{quote(version, safe='')}/"
        return fetch(path, {"Authorization": f"Bearer {TOKEN}"}, None)[0] == 200

    def logs(self) -> str:
        return "\n".join(f"{name}: {part.logs()[-2000:]}" for name, part in self.parts.items())


@pytest.fixture(scope="module", params=["a container a process", "all in one"])
def stack(request: pytest.FixtureRequest, image: None) -> Iterator[Stack]:
    with Containers() as all_in:
        yield Stack(all_in, is_one=request.param == "all in one")


def test_a_webhook_becomes_a_release(stack: Stack) -> None:
    payload = github_push(repository="acme/shop", ref="refs/tags/v1.0.0", head=SampleCommit("Work"), after=sha("object"))
    sample = sign_github(payload, SECRETS["GITHUB_WEBHOOK_SECRET"])
    assert fetch(f"{stack.url}/webhooks/github", sample.headers, sample.body)[0] == 202
    wait_until(lambda: stack.release("v1.0.0"), 60, stack.logs)


def test_every_process_is_an_ordinary_user(stack: Stack) -> None:
    code = (
        "import pathlib, re\n"
        "for one in pathlib.Path('/proc').iterdir():\n"
        "    if one.name.isdigit():\n"
        "        text = (one / 'status').read_text()\n"
        "        print(re.search(r'^Uid:\\s+(.*)$', text, re.M)[1], re.search(r'^CapEff:\\s+(.*)$', text, re.M)[1])\n"
    )
    for part in stack.parts.values():
        assert set(part.run("python", "-c", code).splitlines()) == {"65534\t65534\t65534\t65534 0000000000000000"}


def test_the_root_is_read_only_and_nothing_is_written_outside_the_volume(stack: Stack) -> None:
    code = (
        "import os\n"
        "for path in ('/opt/tagship/x', '/x', '/etc/x', '/var/x'):\n"
        "    try: os.close(os.open(path, os.O_CREAT | os.O_WRONLY))\n"
        "    except OSError as problem: print(problem.strerror)\n"
    )
    for part in stack.parts.values():
        assert {*part.run("python", "-c", code).splitlines()} <= {"Read-only file system", "Permission denied"}
        assert len(part.run("python", "-c", code).splitlines()) == 4
        # /etc, where the engine mounts the files about the host's name.
        assert [path for path in part.changes() if path != "/etc"] == []


def test_the_image_holds_no_build_tool_no_test_and_its_bill_of_materials(stack: Stack) -> None:
    code = (
        "import shutil, json, importlib.util, pathlib\n"
        "print(json.dumps([[t for t in ('pip', 'pip3', 'gcc', 'cc', 'make', 'git') if shutil.which(t)],"
        " [m for m in ('pip', 'ensurepip') if importlib.util.find_spec(m)],"
        " sorted(p.name for p in pathlib.Path('/opt/tagship').iterdir() if not p.name.startswith('.'))]))"
    )
    part = next(iter(stack.parts.values()))
    tools, modules, files = json.loads(part.run("python", "-c", code))
    assert (tools, modules) == ([], [])
    assert files == ["Procfile", "releases", "sbom.cdx.json", "shared", "webhook", "worker"]
    listed = json.loads(part.run("/bin/cat", "/opt/tagship/sbom.cdx.json"))
    assert {"celery", "Flask", "flask", "SQLAlchemy", "sqlalchemy"} & {component["name"] for component in listed["components"]}


def test_it_says_how_it_is_checked_and_stopped(stack: Stack) -> None:
    part = next(iter(stack.parts.values()))
    found = containers.inspect_image()
    config = found["Config"]
    assert config["StopSignal"] in ("SIGTERM", "15")
    assert config["User"] == "65534:65534"
    assert config["Labels"]["org.opencontainers.image.title"] == "Tagship"
    kind, *probe = found["Healthcheck"]["Test"]
    assert (kind, "/healthz" in probe[-1]) == ("CMD", True)
    part.run(*probe)  # raises where it exits with another code than 0


def test_pid_1_stops_at_once_when_idle_with_exit_code_0(stack: Stack) -> None:
    """Far below the thirty seconds after which platforms kill, also on a machine that has other things to do."""
    for name, part in stack.parts.items():
        code, seconds = part.stop()
        assert (code, seconds < 15.0) == (0, True), f"{name}: {seconds:.1f} s\n{part.logs()[-3000:]}"

"""Forges and targets that redirect, flood, drip or point elsewhere: no token leaves, the job says why, the worker lives."""

from __future__ import annotations

import json
import resource
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx2
import pytest
from sqlalchemy.engine import Engine

from shared.config.settings import ForgeSettings
from shared.domain.rules import Rule, Rules
from shared.domain.rules import Target as RuleTarget
from shared.errors import TransientError
from shared.infra.http_client import Deadline, call, make_client
from shared.ledger.tables import jobs as job_table
from shared.targets import sentry_client
from shared.targets.repository_names import RepositoryNames
from tests.forge import Forge, History, Reply
from tests.forge_run import accept as accept_at_forge
from tests.security.hosts import DRIPS, Host, Script, bomb, flood, raw, redirect, say, say_json, take_slowly
from tests.target import Target
from tests.worker_run import accept, row
from worker.commits import release_commits
from worker.commits.forge_pool import Forges
from worker.commits.release_commits import Gatherer
from worker.jobs import attempt
from worker.jobs.attempt import Tools
from worker.jobs.runner import Runner

TOKENS = {"MAIN": "hush-main-token", "GOOD": "hush-good-token"}
FORGE_TOKEN = "hush-forge-token"
MOST_BYTES = 64 * 1024 * 1024


@pytest.fixture
def made() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


@pytest.fixture
def http(made: ExitStack) -> httpx2.Client:
    return made.enter_context(make_client())


@pytest.fixture
def trap(made: ExitStack) -> Host:
    """The other host: whatever reaches it was lured there."""
    return made.enter_context(Host())


@pytest.fixture
def host(made: ExitStack) -> Host:
    return made.enter_context(Host())


@pytest.fixture
def good() -> Iterator[Target]:
    target = Target()
    yield target
    target.close()


@pytest.fixture(autouse=True)
def _little_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same limits, shorter: a drip is cut by them and by nothing else."""
    monkeypatch.setattr(attempt, "SEND_SECONDS", 1.5)
    monkeypatch.setattr(release_commits, "COLLECT_SECONDS", 1.5)
    monkeypatch.setattr(sentry_client, "_LIST_SECONDS", 1.0)


def runner_of(engine: Engine, http: httpx2.Client, in_force: Rules, forge: str | None = None) -> Runner:
    forges = {} if forge is None else {"github": ForgeSettings(forge, FORGE_TOKEN, is_named=True)}
    gatherer = Gatherer(engine, Forges(http, forges), RepositoryNames(), in_force.commits)
    return Runner(engine, Tools(client=http, rules=in_force, token=TOKENS.get, gatherer=gatherer))


def rules(main: str, good: str, **fields: Any) -> Rules:
    rule = Rule(name="r", repos=("*",), refs=("refs/tags/*",), targets=("main", "good"), projects=("app",), **fields)
    return Rules(
        (rule,),
        {
            "main": RuleTarget(name="main", url=main, org="acme", token_env="MAIN"),
            "good": RuleTarget(name="good", url=good, org="acme", token_env="GOOD"),
        },
    )


def run(engine: Engine, runner: Runner, in_force: Rules, name: str = "v1.0.0") -> tuple[Any, Any]:
    """The job at `main` and the one at `good`, after one message with both."""
    main = accept(engine, in_force, name)
    with engine.begin() as connection:
        ids = {found.target: found.id for found in connection.execute(job_table.select()) if found.version == name}
    assert ids["main"] == main
    before = time.monotonic()
    runner.run([ids["main"], ids["good"]])
    assert time.monotonic() - before < 30, "the worker hung"
    return row(engine, ids["main"]), row(engine, ids["good"])


def assert_told_and_alive(main: Any, good: Any, trap: Host) -> None:
    assert main.status in ("retrying", "failed")
    assert main.error
    assert "hush" not in f"{main.error} {main.waiting} {main.range} {main.release_url}"
    assert "unexpected" not in main.error
    assert good.status == "succeeded", "the worker lives"
    assert trap.requests == [], "nothing may be asked of a host that is not configured"


# --- a target that redirects -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize("place", ["{trap}/", "//127.0.0.1:{port}/x", "http://localhost:{port}/", "/\\127.0.0.1:{port}/"])
def test_a_target_that_redirects_gets_no_second_request_and_the_job_says_so(
    engine: Engine, http: httpx2.Client, host: Host, trap: Host, good: Target, status: int, place: str
) -> None:
    host.script = redirect(place.format(trap=trap.url, port=trap.port), status)
    in_force = rules(host.url, good.url)
    main, other = run(engine, runner_of(engine, http, in_force), in_force)
    assert_told_and_alive(main, other, trap)
    assert (main.status, main.reason) == ("failed", "target_refused")
    assert "redirect" in main.error


# --- a target that floods, drips, lies -------------------------------------------------------------------------------

FLOODS: dict[str, Callable[[], Script]] = {
    "10 GB announced": flood,
    "10 GB in chunks": lambda: flood(announced=False),
    "a gzip bomb": bomb,
}


@pytest.mark.parametrize("name", list(FLOODS))
def test_a_target_that_answers_10_gb_is_read_up_to_the_limit(
    engine: Engine, http: httpx2.Client, host: Host, trap: Host, good: Target, name: str
) -> None:
    host.script = FLOODS[name]()
    in_force = rules(host.url, good.url)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    main, other = run(engine, runner_of(engine, http, in_force), in_force)
    assert_told_and_alive(main, other, trap)
    assert "more than 8388608 bytes" in main.error
    assert host.sent < MOST_BYTES
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 150 * 1024, "in KiB"


@pytest.mark.parametrize("name", list(DRIPS))
def test_a_target_that_drips_is_cut_off_wherever_it_drips(
    engine: Engine, http: httpx2.Client, host: Host, trap: Host, good: Target, name: str
) -> None:
    host.script = DRIPS[name]
    in_force = rules(host.url, good.url)
    main, other = run(engine, runner_of(engine, http, in_force), in_force)
    assert_told_and_alive(main, other, trap)
    assert main.status == "retrying"
    assert "in time" in main.error or "no time was left" in main.error or "could not be reached" in main.error


def test_a_host_that_takes_a_request_without_end_is_cut_off(http: httpx2.Client, host: Host) -> None:
    host.script = take_slowly
    listener = socket.create_server(("127.0.0.1", 0))  # accepts by its backlog and reads nothing, ever
    url = f"http://127.0.0.1:{listener.getsockname()[1]}/"
    before = time.monotonic()
    with pytest.raises(TransientError, match="did not answer in time"):
        call(http, "POST", url, headers={}, deadline=Deadline(1.0), body=b"x" * 50_000_000)
    assert time.monotonic() - before < 15
    listener.close()


LIES: dict[str, bytes] = {
    "no HTTP": b"SSH-2.0-OpenSSH_9.6\r\n",
    "an empty answer": b"",
    "a length that is none": b"HTTP/1.1 201 x\r\nContent-Length: -5\r\n\r\n",
    "two lengths": b"HTTP/1.1 201 x\r\nContent-Length: 2\r\nContent-Length: 9\r\n\r\n{}",
    "a header without end": b"HTTP/1.1 201 x\r\nX-A: " + b"a" * 300_000,
    "ten thousand headers": b"HTTP/1.1 201 x\r\n" + b"X-A: b\r\n" * 30_000 + b"\r\n",
    "half an answer": b'HTTP/1.1 201 x\r\nContent-Type: application/json\r\nContent-Length: 99\r\n\r\n{"vers',
    "no JSON": b"HTTP/1.1 201 x\r\nContent-Length: 4\r\n\r\nhola",
    "deep JSON": b"HTTP/1.1 201 x\r\nContent-Length: 100000\r\n\r\n" + b"[" * 100_000,
    "a huge number": b"HTTP/1.1 201 x\r\nContent-Length: 100002\r\n\r\n[" + b"9" * 100_000 + b"]",
    "an unknown coding": b"HTTP/1.1 201 x\r\nContent-Encoding: gzip\r\nContent-Length: 2\r\n\r\n{}",
    "codings in codings": b"HTTP/1.1 201 x\r\nContent-Encoding: gzip,gzip,gzip,gzip,gzip,gzip\r\nContent-Length: 2\r\n\r\n{}",
    "another protocol": b"HTTP/1.1 101 x\r\nUpgrade: h2c\r\nConnection: upgrade\r\n\r\n",
    "control characters": b"HTTP/1.1 400 x\r\nContent-Length: 30\r\n\r\n\x1b[2J\nERROR forged line \x00\x07\xc2\x9b\xff____",
}


@pytest.mark.parametrize("name", list(LIES))
def test_a_target_whose_answer_is_no_answer_is_a_clear_reason(
    engine: Engine, http: httpx2.Client, host: Host, trap: Host, good: Target, name: str
) -> None:
    host.script = raw(LIES[name])
    in_force = rules(host.url, good.url)
    main, other = run(engine, runner_of(engine, http, in_force), in_force)
    assert_told_and_alive(main, other, trap)
    assert len(main.error) < 1_000


def test_a_target_that_names_another_host_in_its_json_and_links_is_not_followed(
    engine: Engine, http: httpx2.Client, host: Host, trap: Host, good: Target
) -> None:
    """Addresses in an answer are data. Of a Link header the cursor alone is taken, and not for ever."""
    link = f'Link: <{trap.url}/next>; rel="next"; results="true"; cursor="0:100:0"\r\n'
    answer = {"version": "v1.0.0", "url": trap.url, "next": trap.url, "links": {"next": trap.url}, "name": trap.url}

    def script(connection: socket.socket, server: Host) -> None:
        is_list = server.requests[-1].startswith(b"GET")
        say_json([answer] * 100 if is_list else answer, link)(connection, server)

    host.script = script
    in_force = rules(host.url, good.url, environment="production")
    main, other = run(engine, runner_of(engine, http, in_force), in_force)
    assert (main.status, other.status) == ("succeeded", "succeeded")
    assert main.release_url == f"{host.url}/organizations/acme/releases/v1.0.0/", "the page is the configured host's"
    assert trap.requests == []
    assert len(host.requests) < 30, "the list of repositories is read ten pages far"


def test_a_target_that_echoes_the_token_does_not_get_it_into_the_ledger(
    engine: Engine, http: httpx2.Client, host: Host, trap: Host, good: Target
) -> None:
    def script(connection: socket.socket, server: Host) -> None:
        head = server.requests[-1].partition(b"\r\n\r\n")[0].decode()
        say(400, json.dumps({"detail": head, "Authorization": TOKENS["MAIN"]}).encode())(connection, server)

    host.script = script
    in_force = rules(host.url, good.url)
    main, other = run(engine, runner_of(engine, http, in_force), in_force)
    assert_told_and_alive(main, other, trap)
    assert any(TOKENS["MAIN"].encode() in request for request in host.requests), "it is what the host was sent"
    assert "***" in main.error


def test_each_token_goes_to_its_own_host_alone(
    engine: Engine, http: httpx2.Client, host: Host, made: ExitStack, good: Target
) -> None:
    forge = made.enter_context(Host(say(404, b'{"message": "Not Found"}')))
    host.script = say_json({"version": "v1.0.0"})
    in_force = rules(host.url, good.url)
    run(engine, runner_of(engine, http, in_force, forge.url), in_force)
    seen = {
        "main": b"".join(host.requests),
        "forge": b"".join(forge.requests),
        "good": json.dumps([headers for _, _, headers in good.posts]).encode(),
    }
    where = {
        token: [name for name, data in seen.items() if token.encode() in data] for token in (*TOKENS.values(), FORGE_TOKEN)
    }
    assert where == {"hush-main-token": ["main"], "hush-good-token": ["good"], "hush-forge-token": ["forge"]}


# --- forges ----------------------------------------------------------------------------------------------------------


def forge_run(engine: Engine, http: httpx2.Client, host: Host, good: Target, made: ExitStack) -> Any:
    in_force = rules(made.enter_context(Host(say(500, b"{}"))).url, good.url)
    runner = runner_of(engine, http, in_force, host.url)
    _, job = run(engine, runner, in_force)
    return job


@pytest.mark.parametrize("status", [301, 302, 307, 308])
@pytest.mark.parametrize(
    "place", ["{trap}/repos/acme/shop", "//127.0.0.1:{port}/x", "http://localhost:{port}/", "http://a@127.0.0.1:{port}/"]
)
def test_a_forge_that_redirects_elsewhere_is_not_followed(
    engine: Engine, http: httpx2.Client, host: Host, trap: Host, good: Target, made: ExitStack, status: int, place: str
) -> None:
    host.script = redirect(place.format(trap=trap.url, port=trap.port), status)
    job = forge_run(engine, http, host, good, made)
    assert job.status == "succeeded"
    assert "redirects to another place" in job.range["partial"], "the release is there, and says what it lacks and why"
    assert trap.requests == []
    assert len(host.requests) == 2, "each of the two jobs asked once"


@pytest.mark.parametrize("name", [*FLOODS, *DRIPS])
def test_a_forge_that_floods_or_drips_makes_the_job_wait_with_a_reason(
    engine: Engine, http: httpx2.Client, host: Host, trap: Host, good: Target, made: ExitStack, name: str
) -> None:
    host.script = FLOODS[name]() if name in FLOODS else DRIPS[name]
    job = forge_run(engine, http, host, good, made)
    assert job.status == "retrying"
    assert job.waiting["code"] == "forge_unreachable"
    assert job.waiting["detail"]
    assert "hush" not in json.dumps(job.waiting)
    assert host.sent < MOST_BYTES


def test_a_forge_that_echoes_the_token_does_not_get_it_into_the_ledger(
    engine: Engine, http: httpx2.Client, host: Host, good: Target, made: ExitStack
) -> None:
    for number, status in enumerate((400, 401, 403, 422, 500)):
        host.script = say(status, json.dumps({"message": f"bad token {FORGE_TOKEN}"}).encode())
        in_force = rules(made.enter_context(Host(say(500, b"{}"))).url, good.url)
        _, job = run(engine, runner_of(engine, http, in_force, host.url), in_force, f"v1.0.{number}")
        shown = f"{job.error} {job.waiting} {job.range}"
        assert "***" in shown or "answered 40" in shown
        assert "hush" not in shown


@pytest.mark.parametrize("spelling", [FORGE_TOKEN, FORGE_TOKEN.replace("-", "\\u002d")], ids=["plain", "escaped"])
@pytest.mark.parametrize("status", [403, 422])
def test_a_forge_that_echoes_the_token_where_it_is_to_compare_does_not_get_it_into_the_ledger(
    engine: Engine, http: httpx2.Client, host: Host, good: Target, made: ExitStack, spelling: str, status: int
) -> None:
    """A refusal that is an answer to be read, such as "no common ancestor", goes another way than the others."""

    def script(connection: socket.socket, server: Host) -> None:
        if b"/compare/" in server.requests[-1].partition(b"\r\n")[0]:
            say(status, b'{"message": "rejected: Bearer %s"}' % spelling.encode())(connection, server)
        else:
            say_json([{"name": "v0.9.0", "commit": {"sha": "a" * 40}}])(connection, server)

    host.script = script
    job = forge_run(engine, http, host, good, made)
    assert any(b"/compare/" in request for request in host.requests)
    assert "rejected: Bearer ***" in job.range["partial"]
    assert "hush" not in json.dumps(job.range)


class Lying(Forge):
    """A forge whose every answer points at another host: `url`, `next`, `Link` and the like."""

    elsewhere = ""

    def answer(self, request: Any) -> Reply:
        found = super().answer(request)
        if found.status != 200:
            return found
        link = f'<{self.elsewhere}/next>; rel="next", <{self.elsewhere}/last>; rel="last"'
        body = json.dumps(self._lie(json.loads(found.body))).encode()
        headers = {**found.headers, "X-Next-Page": "", "Content-Location": self.elsewhere}
        return Reply(200, body, {**headers, **({"Link": link} if "Link" in found.headers else {})})

    def _lie(self, value: Any) -> Any:
        if isinstance(value, list):
            return [self._lie(item) for item in value]
        if isinstance(value, dict):
            lies = dict.fromkeys(
                ("url", "next", "html_url", "commits_url", "compare_url", "tarball_url", "web_url"), self.elsewhere
            )
            return {**{name: self._lie(item) for name, item in value.items()}, **lies}
        return value


def test_a_forge_that_names_another_host_in_its_json_and_links_is_not_followed(
    engine: Engine, http: httpx2.Client, trap: Host, good: Target, made: ExitStack, tmp_path: Path
) -> None:
    history = History()
    history.line("a-", 3)
    history.tag("v0.9.0", "a-1", depth=1)
    history.tag("v1.0.0", "a-3", depth=1)
    built = history.build(tmp_path / "repository")
    server = Lying("github")
    made.enter_context(server)
    server.elsewhere = trap.url
    server.add("acme/shop", built.path)
    in_force = rules(made.enter_context(Host(say(500, b"{}"))).url, good.url)
    runner = runner_of(engine, http, in_force, server.url)
    job = row(engine, accept_at_forge(engine, in_force, "v1.0.0", built.sha["v1.0.0"]))
    with engine.begin() as connection:
        ids = [found.id for found in connection.execute(job_table.select()) if found.target == "good"]
    runner.run([job.id, *ids])
    done = row(engine, ids[0])
    assert done.status == "succeeded"
    assert done.range["source"] == "api"
    assert server.total_calls > 0
    assert trap.requests == []


# --- TLS -------------------------------------------------------------------------------------------------------------


def test_tls_is_verified(http: httpx2.Client) -> None:
    """A host with a certificate that nobody vouches for is not spoken to: it never sees a byte of the request."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(Path(__file__).parent / "unvouched.pem")
    listener = socket.create_server(("127.0.0.1", 0))
    seen: list[bytes] = []

    def serve() -> None:
        connection, _ = listener.accept()
        try:
            with context.wrap_socket(connection, server_side=True) as secured:
                seen.append(secured.recv(1000))
        except (ssl.SSLError, OSError):
            pass

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    url = f"https://127.0.0.1:{listener.getsockname()[1]}/"
    with pytest.raises(TransientError, match="could not be reached"):
        call(http, "GET", url, headers={"Authorization": "Bearer hush"}, deadline=Deadline(10))
    thread.join(10)
    assert not any(b"hush" in data for data in seen)
    listener.close()

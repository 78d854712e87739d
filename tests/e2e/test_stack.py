"""The whole stack as `make run` starts it: real receiver, worker, sweeper, Valkey and endpoint as processes."""

from __future__ import annotations

import json
import os
import signal
import socket
import threading
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from tests.e2e.running import Running, at_once, command_of, descendants, running, wait_until
from tests.e2e.samples import tag
from webhook.local.sample_webhooks import SampleCommit, gitlab_push, sha, sign_gitlab

pytestmark = pytest.mark.e2e


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with running(tmp_path_factory.mktemp("stack")) as started:
        yield started


def await_releases(stack: Running, versions: list[str], timeout: float = 60) -> None:
    missing = list(versions)

    def all_there() -> bool:
        missing[:] = [version for version in missing if stack.release(version) is None]
        return not missing

    wait_until(all_there, timeout, lambda: f"missing {missing}\n" + "\n".join(stack.lines[-30:]))


def test_a_github_tag_becomes_a_release_with_its_commit_never_the_tag_object(stack: Running) -> None:
    assert stack.post(tag("v1.0.0"))[0] == 202
    await_releases(stack, ["v1.0.0"])
    release = stack.release("v1.0.0")
    assert release is not None
    assert release["lastCommit"]["id"] == sha("Work for v1.0.0")
    assert release["ref"] == "v1.0.0"
    assert release["dateReleased"] is not None
    assert [project["slug"] for project in release["projects"]] == ["app"]


def test_a_gitlab_push_to_the_default_branch_becomes_a_release_with_all_listed_commits(stack: Running) -> None:
    commits = [SampleCommit(f"Step {n}", modified=[f"f{n}.py"], minute=n) for n in range(5)]
    payload = gitlab_push(repository="acme/api", ref="refs/heads/main", commits=commits, before=sha("before"))
    assert stack.post(sign_gitlab(payload, "gl-token"))[0] == 202
    await_releases(stack, [sha("Step 4")])
    release = stack.release(sha("Step 4"))
    assert release is not None
    assert (release["commitCount"], release["lastCommit"]["id"]) == (5, sha("Step 4"))


def test_the_same_tag_under_two_ids_at_the_same_moment_is_one_release_and_one_creating_post(stack: Running) -> None:
    name = "v1.1.0"
    answers = at_once([partial(stack.post, tag(name, f"hook-{i}")) for i in range(2)])
    assert sorted(status for status, _ in answers) == [200, 202]
    assert answers[0][1]["jobs"] == answers[1][1]["jobs"]
    await_releases(stack, [name])
    stack.await_line(f'job.succeeded.*"version":"{name}"')
    done = [line for line in stack.lines if "job.succeeded" in line and f'"{name}"' in line]
    assert len(done) == 1
    assert json.loads(done[0].partition("|")[2])["status"] == 201


def test_a_burst_is_taken_in_and_all_of_it_released(stack: Running) -> None:
    names = [f"v2.0.{n}" for n in range(60)]
    answers = at_once([lambda part=names[i::4]: [stack.post(tag(name))[0] for name in part] for i in range(4)])  # type: ignore[misc]
    assert {status for part in answers for status in part} == {202}
    await_releases(stack, names)


def test_killing_the_broker_while_webhooks_arrive_loses_nothing(stack: Running) -> None:
    names = [f"v3.0.{n}" for n in range(40)]
    statuses = []
    for index, name in enumerate(names):
        if index == 10:
            (broker,) = stack.pids("valkey-server")
            os.kill(broker, signal.SIGKILL)
        statuses.append(stack.post(tag(name))[0])
    assert set(statuses) == {202}
    await_releases(stack, names)


def test_three_hundred_senders_that_trickle_delay_nobody_and_are_cut_off(stack: Running) -> None:
    head = (
        b"POST /webhooks/github HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 1000\r\n"
        b"X-Hub-Signature-256: sha256=" + b"0" * 64 + b"\r\n\r\n"  # without one it would be refused at once
    )
    sockets = [socket.create_connection(("127.0.0.1", stack.port)) for _ in range(300)]
    trickling = threading.Event()

    def trickle() -> None:
        while not trickling.wait(1):
            for connection in sockets:
                try:
                    connection.send(b" ")
                except OSError:
                    continue

    for connection in sockets:
        connection.sendall(head)
    thread = threading.Thread(target=trickle)
    thread.start()
    try:
        started = time.monotonic()
        assert [stack.post(tag(f"v4.0.{n}"), timeout=5)[0] for n in range(10)] == [202] * 10
        assert time.monotonic() - started < 5, "the others waited for the slow ones"
        sockets[0].settimeout(20)
        assert sockets[0].recv(100).startswith(b"HTTP/1.1 408")
    finally:
        trickling.set()
        thread.join()
        for connection in sockets:
            connection.close()


def test_a_part_that_dies_is_started_again_and_its_work_done(stack: Running) -> None:
    (worker,) = stack.pids("-m worker run")
    os.kill(worker, signal.SIGKILL)
    assert stack.post(tag("v5.0.0"))[0] == 202
    await_releases(stack, ["v5.0.0"])
    stack.await_line(r"worker .*died \(signal SIGKILL\)")


def test_no_secret_stands_in_what_the_stack_printed(stack: Running) -> None:
    from shared.config.env_files import read_env_file

    secrets = [*read_env_file(stack.folder / "secrets.env").values(), "gh-secret", "gl-token"]
    assert len(secrets) >= 4
    assert not [line for line in stack.lines for secret in secrets if secret in line]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_stopping_leaves_no_process_behind(tmp_path: Path, number: signal.Signals) -> None:
    with running(tmp_path) as own:
        children = descendants(own.process.pid)
        assert len(children) >= 6
        assert own.stop(number) == 0
        wait_until(lambda: not [pid for pid, command in children if command_of(pid) == command], 10)


def test_a_killed_supervisor_takes_its_parts_along(tmp_path: Path) -> None:
    with running(tmp_path) as own:
        children = descendants(own.process.pid)
        own.process.kill()

        def left() -> list[tuple[int, str]]:
            return [(pid, command) for pid, command in children if command_of(pid) == command]

        wait_until(lambda: not left(), 35, lambda: f"still there: {left()}")


def test_five_deaths_within_a_minute_stop_everything_with_the_reason(tmp_path: Path) -> None:
    with running(tmp_path) as own:
        for _ in range(5):
            wait_until(lambda: bool(own.pids("-m worker sweep")) or own.process.poll() is not None, 20)
            for pid in own.pids("-m worker sweep"):
                os.kill(pid, signal.SIGKILL)
            time.sleep(0.5)
        assert own.process.wait(40) == 1
        wait_until(lambda: any("sweeper died 5 times within a minute" in line for line in own.lines), 5)


def test_faulty_settings_stop_it_at_once_with_every_fault_and_no_trace(tmp_path: Path) -> None:
    own = Running(tmp_path, {"OPS_TOKEN": "", "SENTRY_URL": "ftp://x", "WEB_CONCURRENCY": "many"})
    assert own.wait() == 2
    text = "\n".join(own.lines)
    assert all(name in text for name in ("OPS_TOKEN", "SENTRY_URL", "WEB_CONCURRENCY"))
    assert "Traceback" not in text


def test_samples_fill_an_empty_ledger_once(tmp_path: Path) -> None:
    for said in (r"^samples +7 webhooks sent", r"^samples +not sent"):
        with running(tmp_path, SAMPLES="1") as stack:
            stack.await_line(said)
            await_releases(stack, ["v1.4.0", "v1.4.1", "v2.0.0"])

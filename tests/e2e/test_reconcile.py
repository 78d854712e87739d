"""Tags that no webhook announced: reconcile and backfill against the test forge, the real stack and the embedded endpoint."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from shared.config.env_files import read_env_file
from tests.e2e.running import ROOT, SECRETS, Running, running, wait_until
from tests.forge import Built, Forge, History

pytestmark = pytest.mark.e2e
TAGS = ["v1.0.0", "v1.1.0", "v1.2.0", "v2.0.0"]


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Built:
    made = History()
    for number, tag in enumerate(TAGS):
        made.line(f"c{number}-", 4, *([f"c{number - 1}-4"] if number else []))
        made.tag(tag, f"c{number}-4", depth=number % 2)
    made.tag("latest", "c3-4")
    made.branch("main", "c3-4")
    return made.build(tmp_path_factory.mktemp("git") / "repository")


@pytest.fixture(scope="module")
def forge(built: Built) -> Iterator[Forge]:
    with Forge("github") as made:
        made.add("acme/shop", built.path)
        yield made


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory, forge: Forge) -> Iterator[Running]:
    with running(tmp_path_factory.mktemp("stack"), GITHUB_API_URL=forge.url, GITHUB_TOKEN="t") as started:
        yield started


def command(stack: Running, forge: Forge, *arguments: str) -> tuple[int, dict[str, object]]:
    done = say(stack, forge, *arguments, "--json")
    assert done.stdout, done.stderr
    return done.returncode, json.loads(done.stdout)


def say(stack: Running, forge: Forge, *arguments: str) -> subprocess.CompletedProcess[str]:
    token = read_env_file(stack.folder / "secrets.env")["SENTRY_AUTH_TOKEN"]
    return subprocess.run(
        [sys.executable, "-m", "webhook", *arguments],
        cwd=ROOT,
        env={
            "PATH": os.environ["PATH"],
            "DATA_DIR": str(stack.folder),
            "RELEASES_PORT": str(stack.releases_port),
            "SENTRY_AUTH_TOKEN": token,
            "GITHUB_API_URL": forge.url,
            "GITHUB_TOKEN": "t",
            **SECRETS,
        },
        capture_output=True,
        text=True,
        check=False,
    )


def test_four_tags_pushed_at_once_become_four_releases_and_a_second_run_makes_none(
    stack: Running, forge: Forge, built: Built
) -> None:
    code, dry = command(stack, forge, "reconcile", "github:acme/shop", "--dry-run")
    missing = dry["missing"]
    assert isinstance(missing, list)
    assert (code, [item["tag"] for item in missing]) == (0, TAGS)
    assert {item["why"] for item in missing} == {"missed_webhook"}
    assert stack.release("v1.0.0") is None, "a dry run creates nothing"

    code, made = command(stack, forge, "reconcile", "github:acme/shop")
    assert (code, len(made["queued"])) == (0, 4)  # type: ignore[arg-type]
    wait_until(lambda: all(stack.release(tag) for tag in TAGS), 60, lambda: "\n".join(stack.lines[-20:]))
    for before, tag in zip([None, *TAGS], TAGS, strict=False):
        release = stack.release(tag)
        assert release is not None
        base = built.sha[before] if before else None
        expected = built.range(base, built.sha[tag]) if base else built.reachable(built.sha[tag])
        assert release["commitCount"] == len(expected)
        assert release["lastCommit"]["id"] == built.sha[tag]

    code, again = command(stack, forge, "reconcile", "github:acme/shop")
    assert (code, again["missing"], again["queued"]) == (3, [], [])
    assert command(stack, forge, "backfill", "github:acme/shop", "--dry-run")[0] == 3


def test_a_tag_that_makes_no_release_is_told_with_its_reason(stack: Running, forge: Forge) -> None:
    _, found = command(stack, forge, "backfill", "github:acme/shop", "--dry-run")
    refused = found["refused"]
    assert isinstance(refused, list)
    assert [(item["tag"], item["reason"]) for item in refused] == [("latest", "version_refused")]
    told = say(stack, forge, "backfill", "github:acme/shop", "--dry-run")
    assert told.stdout.startswith("none     latest  (version_refused: ")
    (event,) = map(json.loads, told.stderr.splitlines())
    assert event["event"] == "ops.repository_compare", "the log, and no bar where nobody looks"


def test_by_timer_the_four_releases_are_made_without_anyone_asking(tmp_path: Path, forge: Forge, built: Built) -> None:
    config = tmp_path / "tagship.toml"
    config.write_text('[reconcile]\nevery = "6h"\nrepositories = ["github:acme/shop"]\n')
    environ = {"GITHUB_API_URL": forge.url, "GITHUB_TOKEN": "t", "TAGSHIP_CONFIG": str(config)}
    with running(tmp_path / "stack", **environ) as timed:
        wait_until(lambda: all(timed.release(tag) for tag in TAGS), 60, lambda: "\n".join(timed.lines[-20:]))
        line = json.loads(timed.await_line("reconcile.done").partition("{")[2].join(["{", ""]))
        assert (line["repository"], line["missing"], line["queued"], line["trigger"]) == ("github:acme/shop", 4, 4, "timer")
        last = timed.release(TAGS[-1])
        assert last is not None
        assert last["lastCommit"]["id"] == built.sha[TAGS[-1]]

"""A large body reads as any other one, in a process beside; its death loses nothing."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from shared.domain.push import Push
from shared.domain.webhook import Incoming
from shared.errors import BadPayload, TransientError, UnknownProvider
from shared.forges import PROVIDERS, reading
from shared.forges.json_fields import MAX_VALUES, read_object
from shared.infra.helper_process import HelperDied
from tests.builders import event_of, incoming, payload_files
from webhook.local.sample_webhooks import sha

FILES = [file for name in PROVIDERS for file in payload_files(name)]


@pytest.fixture(scope="module", autouse=True)
def stopped() -> Iterator[None]:
    yield
    reading._helper.close()


def request_of(file: Path) -> Incoming:
    return incoming(file.parent.name, file.read_bytes(), event=event_of(file))


@pytest.mark.parametrize("file", FILES, ids=[f"{file.parent.name}/{file.stem}" for file in FILES])
def test_a_webhook_reads_the_same_in_the_process_beside(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "LARGE", 0)
    request, provider = request_of(file), file.parent.name
    for with_commits in (True, False):
        beside = reading.read_webhook(provider, request, with_commits=with_commits)
        assert beside == PROVIDERS[provider].read(request, with_commits)


def test_only_a_large_body_takes_the_process(monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(_: object) -> list[bytes]:
        raise AssertionError("not needed")

    monkeypatch.setattr(reading._helper, "ask", fails)
    assert reading.read_webhook("github", request_of(FILES[0])).event == event_of(FILES[0])
    large = Incoming(request_of(FILES[0]).headers, b" " * (1024 * 1024 + 1))
    with pytest.raises(AssertionError, match="not needed"):
        reading.read_webhook("github", large)


def test_what_is_wrong_with_it_is_said_in_the_same_words(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "LARGE", 0)
    for body in (b'{"repository": 1}', b"[" * 1_000, b"\xff"):
        request = Incoming({**request_of(FILES[0]).headers, "x-github-event": "push"}, body)
        with pytest.raises(BadPayload) as here:
            PROVIDERS["github"].read(request)
        with pytest.raises(BadPayload) as beside:
            reading.read_webhook("github", request)
        assert str(beside.value) == str(here.value)
    with pytest.raises(UnknownProvider):
        reading.read_webhook("gitea", request_of(FILES[0]))


@pytest.mark.parametrize(
    ("deaths", "error"),
    [
        ([HelperDied("killed")], None),
        ([HelperDied("killed"), HelperDied("killed")], TransientError),
        ([HelperDied("late", is_late=True)], TransientError),
        ([HelperDied("by itself", is_ours=True)], BadPayload),
        ([HelperDied("killed"), HelperDied("by itself", is_ours=True)], BadPayload),
        ([OSError(11, "no process")], TransientError),
    ],
)
def test_a_death_that_is_not_the_bodys_is_tried_again_once(
    deaths: list[Exception], error: type[Exception] | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[Any] = []
    ask = reading._helper.ask

    def dying(frames: list[bytes]) -> list[bytes]:
        asked.append(frames)
        if len(asked) <= len(deaths):
            raise deaths[len(asked) - 1]
        return ask(frames)

    monkeypatch.setattr(reading, "LARGE", 0)
    monkeypatch.setattr(reading._helper, "ask", dying)
    if error is None:
        assert reading.read_webhook("github", request_of(FILES[0])).event == event_of(FILES[0])
    else:
        with pytest.raises(error, match=r"large body|cannot be read"):
            reading.read_webhook("github", request_of(FILES[0]))


def test_the_number_of_values_is_bounded_and_commas_in_texts_are_none() -> None:
    with pytest.raises(BadPayload, match="more than 1000000 values"):
        read_object(b'{"a":[' + b"0," * MAX_VALUES + b"0]}")
    with pytest.raises(BadPayload, match="more than 1000000 values"):
        read_object(b'{"a":["\\\\","\\"' + b'","' * MAX_VALUES + b'"]}')
    assert read_object(b'{"a":"' + b'\\",' * MAX_VALUES + b'"}')
    assert read_object(b'{"a":[' + b"0," * (MAX_VALUES - 1) + b"0]}")


def largest_push() -> bytes:
    """2,048 commits with 240 paths each."""
    paths = [f"s{number:03}" for number in range(240)]
    listed = {"added": paths[:80], "removed": paths[80:160], "modified": paths[160:]}
    person = {"name": "A", "email": "a@acme.test", "username": "a"}
    commits = [
        {
            "id": sha(str(number)),
            "tree_id": sha("tree"),
            "distinct": True,
            "message": "Change",
            "timestamp": "2026-11-24T09:00:00Z",
            "url": "https://example.com",
            "author": person,
            "committer": person,
            **listed,
        }
        for number in range(2_048)
    ]
    repository = {"id": 1, "full_name": "acme/shop", "default_branch": "main"}
    push = {"ref": "refs/heads/main", "before": sha("b"), "after": sha("2047"), "repository": repository, "commits": commits}
    return json.dumps({**push, "head_commit": commits[-1]}).encode()


@pytest.mark.world  # three seconds on a machine that is idle
def test_the_largest_push_of_github_passes_with_all_its_paths() -> None:
    headers = {"x-github-event": "push", "x-github-delivery": "d", "content-type": "application/json"}
    push = reading.read_webhook("github", Incoming(headers, largest_push())).content
    assert isinstance(push, Push)
    assert len(push.commits) == 2_048
    assert sum(len(commit.files or ()) for commit in push.commits) == 2_048 * 240

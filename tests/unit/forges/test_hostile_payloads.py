"""No body, however odd, brings anything but a push, an ignored delivery or a refusal; and what it brings stays in bounds."""

from __future__ import annotations

import copy
import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.config.rules_file import default_rules
from shared.domain.commit_range import payload_range
from shared.domain.push import Ignored, Push
from shared.domain.release_plan import (
    MAX_AUTHOR_EMAIL,
    MAX_AUTHOR_NAME,
    MAX_PATH,
    MAX_REF,
    MAX_REPOSITORY,
    Listed,
    plan_release,
)
from shared.domain.rules import decide
from shared.domain.webhook import Hook, Incoming
from shared.errors import BadPayload
from shared.forges import PROVIDERS
from tests.builders import NOW, event_of, examples, incoming, payload_files, settings, thinned

RULES = default_rules(settings())
EVENTS = {
    name: sorted({"x" * 100, *known.events.values(), *map(event_of, payload_files(name))}) for name, known in PROVIDERS.items()
}
SAMPLES = [
    (file.parent.name, event_of(file), json.loads(file.read_bytes())) for name in PROVIDERS for file in payload_files(name)
]

# Texts as senders may write them: controls, NUL, lone surrogates, right-to-left, and what looks like our own words.
TEXTS = st.one_of(
    st.text(alphabet=st.characters(codec=None), max_size=12),
    st.sampled_from(
        ["", " ", "\x00", "\ud800", "refs/tags/latest", "refs/heads/main", "refs/tags/../x", "0" * 40, "f" * 64, "acme/shop"]
    ),
    st.sampled_from(["latest", "../..", "a" * 3_000, "tag_push", "9999-12-31T23:59:59-23:59", "x@y", "refs/tags/" + "v" * 300]),
)
JSON = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(),
        st.integers(-(10**40), 10**40),
        st.floats(allow_nan=False, allow_infinity=False),
        TEXTS,
    ),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=4),
    max_leaves=12,
)


def paths_of(value: Any, path: tuple[str | int, ...] = ()) -> list[tuple[str | int, ...]]:
    """Every place in a JSON value, the root left out."""
    found = [path] if path else []
    steps = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for step, inner in steps:
        found += paths_of(inner, (*path, step))
    return found


PATHS = [paths_of(body) for _, _, body in SAMPLES]


def changed(body: Any, path: tuple[str | int, ...], new: Any, is_dropped: bool) -> Any:
    """A copy that is changed at `path`, as far as an earlier change has left that path standing."""
    body = copy.deepcopy(body)
    inner = body
    for step in path[:-1]:
        try:
            inner = inner[step]
        except (KeyError, IndexError, TypeError):
            return body
    try:
        if is_dropped:
            del inner[path[-1]]
        else:
            inner[path[-1]] = new
    except (KeyError, IndexError, TypeError):
        pass
    return body


@st.composite
def mutated(draw: st.DrawFn) -> tuple[str, str, Any]:
    """A sample payload with one to three values dropped or replaced, under its own event or another."""
    place = draw(st.integers(0, len(SAMPLES) - 1))
    name, event, body = SAMPLES[place]
    for _ in range(draw(st.integers(1, 3))):
        body = changed(body, draw(st.sampled_from(PATHS[place])), draw(JSON), draw(st.booleans()))
    return name, draw(st.just(event) | st.sampled_from(EVENTS[name])), body


def read(name: str, request: Incoming, *, with_commits: bool) -> Hook | str:
    """The Hook, or why it is refused."""
    try:
        return PROVIDERS[name].read(request, with_commits=with_commits)
    except BadPayload as problem:
        return str(problem)


def follow(name: str, event: str, body: bytes) -> str:
    """The way of a body through the pure rooms; how far it came. Anything but a refusal that is raised fails the test."""
    request = incoming(name, body, event=event)
    door = read(name, request, with_commits=False)  # as the receiver does
    hook = read(name, request, with_commits=True)
    if isinstance(hook, str):
        assert door == hook
        return "refused"
    content = hook.content
    if isinstance(content, Push):
        assert isinstance(door, Hook)
        assert isinstance(door.content, Push)
        bare: dict[str, Any] = {"commits": (), "head_commit": None, "commits_total": door.content.commits_total}
        assert door == replace(hook, content=replace(content, **bare))
    else:
        assert door == hook
    assert isinstance(content, Push | Ignored)
    if isinstance(content, Ignored):
        assert content.reason in ("ping", "event_ignored")
        return "ignored"
    decision = decide(content, RULES)
    if not decision.work:
        assert decision.reason in ("ref_deleted", "event_ignored", "branch_not_matched", "no_rule", "version_refused")
        return "no work"
    for work in decision.work:
        check_plan(content, work.version)
    return "planned"


def check_plan(push: Push, version: str) -> None:
    found = payload_range(push)
    assert json.dumps(found.as_json())
    for mode in ("auto", "payload", "refs", "skip"):
        spec = {"projects": ["app"], "set_commits": mode, "finalize": True, "environment": None}
        listed = [Listed(push.repository.full_name, found.commits)] if mode in ("auto", "payload") else []
        body = plan_release(push, version=version, spec=spec, received_at=NOW, listed=listed)
        assert json.dumps(body, ensure_ascii=False).encode()  # storable and sendable: no lone surrogate
        assert 0 < len(body["version"]) <= 200
        assert 0 < len(body["ref"]) <= MAX_REF
        for ref in body.get("refs", ()):
            assert len(ref["repository"]) <= 200
            assert len(ref["commit"]) in (40, 64)
        check_commits(body.get("commits", []), push)


def check_commits(commits: list[dict[str, Any]], push: Push) -> None:
    if push.sha in {commit["id"] for commit in commits}:
        assert commits[0]["id"] == push.sha
    times = [commit.get("timestamp") for commit in commits]
    assert all(time is None for time in times) or times == sorted(times, reverse=True)
    for commit in commits:
        assert len(commit["id"]) in (40, 64)
        assert 0 < len(commit["repository"]) <= MAX_REPOSITORY
        assert isinstance(commit["message"], str)
        assert 0 < len(commit.get("author_name", "x")) <= MAX_AUTHOR_NAME
        assert 0 < len(commit.get("author_email", "x")) <= MAX_AUTHOR_EMAIL
        for change in commit.get("patch_set", ()):
            assert 0 < len(change["path"]) <= MAX_PATH
            assert change["type"] in ("A", "M", "D")


@pytest.mark.parametrize("name", list(PROVIDERS))
@given(body=st.binary(max_size=60), data=st.data())
@examples(80)
def test_arbitrary_bytes_bring_nothing_but_a_refusal(name: str, body: bytes, data: st.DataObject) -> None:
    assert follow(name, data.draw(st.sampled_from(EVENTS[name])), body) in ("refused", "ignored")


@pytest.mark.parametrize("name", list(PROVIDERS))
@given(body=JSON, data=st.data())
@examples(100)
def test_arbitrary_json_brings_nothing_but_a_refusal_or_an_ignored_delivery(name: str, body: Any, data: st.DataObject) -> None:
    assert follow(name, data.draw(st.sampled_from(EVENTS[name])), json.dumps(body).encode()) in ("refused", "ignored")


@given(sample=mutated())
@examples(500)
def test_a_mutated_payload_brings_a_bounded_plan_or_a_reason_or_a_refusal(sample: tuple[str, str, Any]) -> None:
    name, event, body = sample
    follow(name, event, json.dumps(body).encode())


@pytest.mark.parametrize("name", list(PROVIDERS))
def test_any_one_value_of_any_payload_may_be_missing_or_of_another_type(name: str) -> None:
    """Every place of every sample once (in profile `ci`), so that no field depends on the luck of the draw."""
    ends = set()
    for (provider, event, body), paths in zip(SAMPLES, PATHS, strict=True):
        if provider != name:
            continue
        ends.add(follow(provider, event, json.dumps(body).encode()))
        fields = {tuple("*" if isinstance(step, int) else step for step in path): path for path in paths}
        for path in thinned(fields.values()):
            for new, is_dropped in ((None, True), (None, False), ([], False), ({"a": [1]}, False), ("", False), (-1, False)):
                ends.add(follow(provider, event, json.dumps(changed(body, path, new, is_dropped)).encode()))
    assert ends >= {"refused", "ignored", "planned"}


def test_every_sample_goes_its_whole_way() -> None:
    ends = {follow(name, event, json.dumps(body).encode()) for name, event, body in SAMPLES}
    assert ends == {"ignored", "no work", "planned"}

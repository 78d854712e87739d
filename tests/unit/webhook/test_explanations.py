"""What a payload would do, in words and JSON, without a database; and the summary of what a changed config would change."""

from __future__ import annotations

import json
from typing import Any

import pytest

from shared.domain.rules import decide
from shared.errors import BadPayload, UnknownProvider
from tests.builders import NOW, payload, push, rule, rules
from webhook.ops import explain, what_if
from webhook.ops.what_if import Compared

TAGS = rules(rule("tags", refs=("refs/tags/*",), release="shop@{version}", environment="production"))


def body(provider: str, name: str, **changed: Any) -> bytes:
    return json.dumps(payload(provider, name, **changed)).encode()


def test_a_tag_is_explained_with_its_rule_and_the_body_that_would_be_sent() -> None:
    sent = body("github", "push__annotated_tag")
    said = explain.explain("github", "tag_push", sent, TAGS, NOW).as_json()
    assert (said["status"], said["reason"], said["event"]) == ("accepted", None, "push")
    assert [step["rule"] for step in said["why"] if step["matched"]] == ["tags"]
    (release,) = said["releases"]
    assert (release["target"], release["rule"], release["environment"]) == ("main", "tags", "production")
    assert release["version"].startswith("shop@")
    assert release["body"]["version"] == release["version"]
    assert release["body"]["projects"] == ["shop"]


def test_a_push_that_no_rule_wants_is_explained_with_its_reason_and_without_a_release() -> None:
    said = explain.explain("github", "push", body("github", "push__branch"), TAGS, NOW).as_json()
    assert (said["status"], said["reason"], said["releases"]) == ("ignored", "branch_not_matched", [])


def test_a_ping_is_ignored_and_names_no_rule() -> None:
    said = explain.explain("github", "ping", body("github", "ping__repository"), TAGS, NOW).as_json()
    assert (said["status"], said["reason"], said["why"]) == ("ignored", "ping", [])


@pytest.mark.parametrize(("set_commits", "listed"), [("auto", True), ("payload", True), ("refs", False), ("skip", False)])
def test_commits_are_in_the_body_where_the_payload_decides_them(set_commits: str, listed: bool) -> None:
    wanted = rules(rule(refs=("refs/heads/*",), set_commits=set_commits))
    (release,) = explain.explain("github", "push", body("github", "push__branch"), wanted, NOW).as_json()["releases"]
    assert (release["range"] is not None) is listed
    assert bool(release["body"].get("commits")) is listed
    assert bool(release["body"].get("refs")) is (set_commits == "refs")


def test_an_unknown_provider_is_named_with_those_that_are_known() -> None:
    with pytest.raises(UnknownProvider, match="no provider 'gitea': known are github, gitlab"):
        explain.explain("gitea", "push", b"{}", TAGS, NOW)


@pytest.mark.parametrize(
    ("provider", "sent", "event"),
    [
        ("github", b"{}", "push"),
        ("gitlab", b'{"object_kind": "tag_push"}', "tag_push"),
        ("gitlab", b'{"object_kind": "push"}', "push"),
    ],
)
def test_the_event_is_guessed_where_the_body_tells_it(provider: str, sent: bytes, event: str) -> None:
    assert explain.guess_event(provider, sent) == event


def test_the_event_has_to_be_named_where_the_body_does_not_tell_it() -> None:
    with pytest.raises(BadPayload, match="name the event"):
        explain.guess_event("gitlab", b"{}")


def verdict(**fields: Any) -> what_if.Verdict:
    return what_if.verdict_of(decide(push("refs/tags/v1"), rules(rule(**fields))))


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({}, "accepted: v1 at main (shop)"),
        ({"environment": "production"}, "accepted: v1 at main (shop; deploy to production)"),
        (
            {"projects": ("a", "b"), "set_commits": "skip", "finalize": False},
            "accepted: v1 at main (a, b; commits skip; not finalized)",
        ),
        ({"targets": ("main", "eu")}, "accepted: v1 at eu (shop), v1 at main (shop)"),
        ({"refs": ("refs/heads/*",)}, "ignored: no_rule"),
        ({"release": "latest"}, "ignored: version_refused"),
    ],
)
def test_a_verdict_in_words(fields: dict[str, Any], says: str) -> None:
    assert verdict(**fields).as_text() == says


def test_the_name_of_the_rule_is_no_part_of_a_verdict() -> None:
    assert verdict(name="a") == verdict(name="b") != verdict(environment="production")
    (release,) = verdict(name="a").as_json()["releases"]
    assert release == {
        "target": "main", "version": "v1", "projects": ["shop"], "set_commits": "auto", "finalize": True, "environment": None
    }  # fmt: skip


DELIVERY: Any = dict.fromkeys(("id", "provider", "repository", "event", "ref", "created_at"), "x")
SAME = Compared(DELIVERY, verdict(), verdict())
CHANGED = Compared(DELIVERY, verdict(), verdict(environment="production"))
GONE = Compared(DELIVERY, verdict(), None)


def test_a_summary_counts_all_and_lists_what_changes() -> None:
    summary = what_if.summarise([SAME, CHANGED, GONE, CHANGED])
    assert (summary.looked_at, summary.expired, len(summary.changes), summary.is_cut) == (4, 1, 2, False)
    said = summary.as_json()
    assert (said["changed"], [item["id"] for item in said["items"]]) == (2, ["x", "x"])
    assert said["items"][0]["before"] != said["items"][0]["after"]


def test_a_summary_is_cut_when_time_or_room_runs_out() -> None:
    left = iter([True, True, False])
    in_time = what_if.summarise([SAME] * 9, lambda: next(left))
    assert (in_time.looked_at, in_time.is_cut) == (2, True)
    in_room = what_if.summarise([CHANGED] * 9, room=1)
    assert (in_room.looked_at, len(in_room.changes), in_room.is_cut) == (1, 1, True)

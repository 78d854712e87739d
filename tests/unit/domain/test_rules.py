"""The decision table: which rule wants a push, for which targets, under which version, and why nothing is done."""

from __future__ import annotations

from typing import Any

import pytest

from shared.config.rules_file import default_rules
from shared.domain.push import Push
from shared.domain.rules import Decision, decide, matches
from tests.builders import commit, push, rule, rules, settings
from webhook.local.sample_webhooks import ZERO

DEFAULT = default_rules(settings(sentry_projects=("app",)))
SHA = commit().id


def work(decision: Decision) -> list[tuple[str, str, str]]:
    return [(item.rule, item.target, item.version) for item in decision.work]


def outcomes(decision: Decision) -> list[tuple[str, bool]]:
    return [(step.rule, step.matched) for step in decision.trail]


# --- the default rule ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("ref", "version"),
    [
        ("refs/tags/v1.0.0", "v1.0.0"),
        ("refs/tags/web/v3", "web-v3"),
        ("refs/heads/main", SHA),
    ],
)
def test_by_default_a_tag_is_named_by_the_tag_and_the_default_branch_by_the_full_sha(ref: str, version: str) -> None:
    decision = decide(push(ref), DEFAULT)
    assert work(decision) == [("default", "default", version)]
    assert decision.reason is None
    assert decision.work[0].projects == ("app",)
    assert decision.work[0].finalize


@pytest.mark.parametrize(
    ("ref", "fields", "reason"),
    [
        ("refs/heads/feature", {}, "branch_not_matched"),
        ("refs/heads/main", {"default": None}, "branch_not_matched"),
        ("refs/heads/Main", {}, "branch_not_matched"),
        ("refs/heads/main/2", {}, "branch_not_matched"),
        ("refs/tags/latest", {}, "version_refused"),
        ("refs/tags/" + "x" * 201, {}, "version_refused"),
        ("refs/notes/commits", {}, "event_ignored"),
        ("refs/pull/1/head", {}, "event_ignored"),
        ("refs/tags/v1", {"sha": None}, "event_ignored"),
        ("refs/tags/v1", {"after": ZERO, "sha": None}, "ref_deleted"),
        ("refs/heads/main", {"after": "0" * 64, "sha": None}, "ref_deleted"),
    ],
)
def test_what_makes_no_release_says_why(ref: str, fields: dict[str, Any], reason: str) -> None:
    decision = decide(push(ref, **fields), DEFAULT)
    assert decision.work == ()
    assert decision.reason == reason
    assert decision.detail


def test_the_sentence_names_the_branch_and_the_repository() -> None:
    assert decide(push("refs/heads/try"), DEFAULT).detail == "no rule for github:acme/shop wants the branch try"


def test_a_repository_that_no_rule_names_is_told_apart_from_a_ref_that_none_wants() -> None:
    only = rules(rule(repos=("github:acme/api",), refs=("refs/tags/*",)))
    assert (decide(push("refs/tags/v1"), only).reason, decide(push("refs/heads/main"), only).reason) == ("no_rule", "no_rule")
    assert decide(push("refs/tags/v1"), only).detail == "no rule names the repository github:acme/shop"
    wanted = rules(rule(refs=("refs/tags/v*",)))
    assert decide(push("refs/tags/nightly"), wanted).reason == "no_rule"
    assert decide(push("refs/tags/nightly"), wanted).detail == "no rule for github:acme/shop wants the tag nightly"


def test_without_rules_nothing_is_done() -> None:
    assert decide(push("refs/tags/v1"), rules()).reason == "no_rule"


# --- which rule ------------------------------------------------------------------------------------------------------


def test_the_first_rule_that_matches_decides_and_the_rest_is_not_asked() -> None:
    decision = decide(
        push("refs/tags/v1"),
        rules(
            rule("other repo", repos=("github:acme/api",)),
            rule("branches", refs=("refs/heads/*",)),
            rule("tags", release="shop@{tag}"),
            rule("later", targets=("eu",)),
        ),
    )
    assert work(decision) == [("tags", "main", "shop@v1")]
    assert outcomes(decision) == [("other repo", False), ("branches", False), ("tags", True)]


def test_the_trail_says_what_was_compared_with_what() -> None:
    steps = decide(push("refs/tags/v1-nightly"), rules(rule("shop", refs=("refs/tags/v*", "!refs/tags/*-nightly")))).trail
    assert [step.as_json() for step in steps] == [
        {
            "rule": "shop",
            "matched": False,
            "compared": "refs/tags/v1-nightly",
            "outcome": "excluded by !refs/tags/*-nightly",
        }
    ]


def test_continue_lets_later_rules_add_targets_but_never_a_second_release_there() -> None:
    decision = decide(
        push("refs/tags/v1"),
        rules(
            rule("first", goes_on=True, release="a@{tag}"),
            rule("same target", goes_on=True, release="b@{tag}"),
            rule("both", targets=("eu", "main"), goes_on=False),
            rule("never asked", targets=("us",)),
        ),
    )
    assert work(decision) == [("first", "main", "a@v1"), ("both", "eu", "v1")]
    assert decision.trail[1].outcome == "an earlier rule already releases it there"
    assert [step.rule for step in decision.trail] == ["first", "same target", "both"]


def test_continue_of_a_rule_that_does_not_match_changes_nothing() -> None:
    decision = decide(push("refs/tags/v1"), rules(rule("a", refs=("refs/heads/*",), goes_on=True), rule("b")))
    assert work(decision) == [("b", "main", "v1")]


def test_several_targets_of_a_rule_make_several_releases() -> None:
    decision = decide(
        push("refs/tags/v1"), rules(rule(targets=("main", "eu"), projects=("web", "api"), environment="production"))
    )
    assert [(item.target, item.projects, item.environment) for item in decision.work] == [
        ("main", ("web", "api"), "production"),
        ("eu", ("web", "api"), "production"),
    ]


def test_what_the_rule_asks_for_is_carried_into_the_work() -> None:
    item = decide(push("refs/tags/v1"), rules(rule(set_commits="refs", finalize=False))).work[0]
    assert (item.set_commits, item.finalize, item.environment) == ("refs", False, None)


def test_a_refused_version_ends_the_search_unless_the_rule_continues() -> None:
    second = rule("second", release="{sha:12}")
    assert decide(push("refs/tags/latest"), rules(rule("first"), second)).reason == "version_refused"
    assert work(decide(push("refs/tags/latest"), rules(rule("first", goes_on=True), second))) == [("second", "main", SHA[:12])]


def test_a_refused_version_is_no_reason_once_another_rule_makes_a_release() -> None:
    decision = decide(push("refs/tags/latest"), rules(rule("first", goes_on=True), rule("second", release="nightly")))
    assert (decision.reason, decision.detail) == (None, None)
    assert decision.trail[0].outcome.startswith("version refused")


# --- patterns --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("refs", "ref", "wanted"),
    [
        (("refs/tags/*",), "refs/tags/web/v3", True),
        (("refs/tags/v*",), "refs/tags/v1", True),
        (("refs/tags/v*",), "refs/tags/1", False),
        (("refs/tags/v*", "!refs/tags/*-nightly*"), "refs/tags/v1-nightly.3", False),
        (("!refs/tags/*-rc*", "refs/tags/*"), "refs/tags/v1-rc1", False),
        (("!refs/tags/*-rc*", "refs/tags/*"), "refs/tags/v1", True),
        (("refs/heads/{default_branch}",), "refs/heads/main", True),
        (("refs/heads/{default_branch}",), "refs/heads/maintenance", False),
        (("refs/tags/*", "!refs/heads/{default_branch}"), "refs/tags/main", True),
        (("refs/heads/*", "!refs/heads/{default_branch}"), "refs/heads/main", False),
        (("refs/heads/release-?",), "refs/heads/release-2", True),
        (("refs/heads/release-[0-9]",), "refs/heads/release-x", False),
        (("refs/heads/a.b",), "refs/heads/axb", False),
    ],
)
def test_refs_are_chosen_by_globs_and_exclusions(refs: tuple[str, ...], ref: str, wanted: bool) -> None:
    assert bool(decide(push(ref), rules(rule(refs=refs, release="{sha}"))).work) is wanted


def test_a_default_branch_of_glob_characters_is_taken_literally() -> None:
    table = rules(rule(refs=("refs/heads/{default_branch}",)))
    assert not decide(push("refs/heads/anything", default="*"), table).work
    assert not decide(push("refs/heads/a", default="[a]"), table).work


@pytest.mark.parametrize(
    ("pattern", "provider", "repository", "wanted"),
    [
        ("*", "gitlab", "acme/backend/shop", True),
        ("github:acme/shop", "github", "acme/shop", True),
        ("github:acme/shop", "gitlab", "acme/shop", False),
        ("github:acme/shop", "github", "acme/shop-api", False),
        ("github:acme/shop-*", "github", "acme/shop-api", True),
        ("gitlab:acme/*", "gitlab", "acme/backend/shop", True),
        ("*:acme/shop", "gitlab", "acme/shop", True),
        ("github:Acme/shop", "github", "acme/shop", True),
        ("github:acme/[a-m]*", "github", "ACME/Shop", False),
        ("github:acme/[a-s]*", "github", "ACME/Shop", True),
    ],
)
def test_repositories_are_chosen_by_provider_and_name(pattern: str, provider: str, repository: str, wanted: bool) -> None:
    asked = push("refs/tags/v1", provider=provider, repository=repository)
    assert bool(decide(asked, rules(rule(repos=(pattern,)))).work) is wanted


def test_any_of_several_repositories_matches() -> None:
    assert decide(push("refs/tags/v1"), rules(rule(repos=("github:acme/api", "github:acme/shop")))).work


@pytest.mark.parametrize("pattern", ["refs/tags/" + "*a" * 40 + "b", "[", "[!", "a" * 500])
def test_a_costly_or_odd_pattern_simply_does_not_match(pattern: str) -> None:
    assert not matches(pattern, "refs/tags/" + "a" * 1_000)


def test_the_same_push_is_decided_the_same_way_every_time() -> None:
    table = rules(rule("one", goes_on=True), rule("two", targets=("eu",)))
    asked: Push = push("refs/tags/v1")
    assert decide(asked, table) == decide(asked, table)

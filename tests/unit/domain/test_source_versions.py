"""Whose a version is, and which rules may make one version for two sources."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.domain.rules import Rule, Rules, Source
from shared.domain.source_versions import Holder, find_owner, globs_meet, meeting_rules, source_of


def source(name: str, *repositories: str, provider: str = "github") -> Source:
    return Source(name=name, provider=provider, secret_env=name.upper(), repositories=repositories)


ACME, TILL, LAB = source("acme", "acme/*"), source("till", "acme/till", "till/*"), source("lab", "acme/*", provider="gitlab")


def rule(
    name: str, *repos: str, release: str | None = None, shared: bool = False, refs: tuple[str, ...] = ("refs/tags/*",)
) -> Rule:
    return Rule(name=name, repos=repos, refs=refs, targets=("main",), projects=("app",), release=release, shared=shared)


def test_a_source_is_the_secrets_that_speak_for_a_repository() -> None:
    sources = (ACME, TILL, LAB)
    assert source_of(sources, "github", "Acme/Shop") == "github:ACME"
    assert source_of(sources, "github", "acme/till") == "github:ACME,github:TILL"
    assert source_of(sources, "gitlab", "acme/shop") == "gitlab:LAB"
    assert source_of(sources, "github", "other/one") == source_of((), "gitlab", "acme/shop") == ""


@pytest.mark.parametrize(
    ("holder", "key", "source", "is_shared", "is_free"),
    [
        (
            Holder("github:acme/shop", "github:ACME", False, "github", "acme/shop"),
            "github:acme/api",
            "github:ACME",
            False,
            True,
        ),
        (Holder("github:acme/shop", None, False, "github", "acme/shop"), "github:acme/api", "github:ACME", False, True),
        (Holder("github:acme/shop", None, False, "github", "acme/shop"), "github:x/y", "", False, False),
        (Holder("github:acme/shop", "github:ACME", False, "github", "acme/shop"), "github:x/y", "", True, False),
        (Holder("github:acme/shop", "github:ACME", True, "github", "acme/shop"), "github:x/y", "", False, False),
        (Holder("github:acme/shop", "github:ACME", True, "github", "acme/shop"), "github:x/y", "", True, True),
        (Holder("github:acme/shop", "github:ACME", False, "github", "moved/shop"), "github:x/y", "", False, True),
        (Holder("github:acme/shop", "github:ACME", False, "github", "acme/shop"), "github:acme/shop", "", False, True),
    ],
)
def test_another_source_keeps_its_version(holder: Holder, key: str, source: str, is_shared: bool, is_free: bool) -> None:
    found = find_owner([holder], key, source, is_shared=is_shared, sources=(ACME,))
    assert (found is None) is is_free
    assert find_owner([], key, source, is_shared=is_shared, sources=(ACME,)) is None


@pytest.mark.parametrize(
    ("rules", "meeting"),
    [
        ((rule("all", "*"),), 1),
        ((rule("all", "*", release="{repo}@{tag}"),), 0),
        ((rule("all", "*", release="{sha:12}"),), 0),
        ((rule("all", "*", release="{name}@{tag}"),), 1),
        ((rule("all", "*", shared=True),), 0),
        ((rule("acme", "github:acme/*"),), 0),
        ((rule("acme", "github:acme/*", release="a@{tag}"), rule("rest", "github:other/*", release="b@{tag}")), 0),
        ((rule("acme", "github:acme/*", release="a@{tag}"), rule("rest", "github:other/*", release="{tag}")), 1),
        ((rule("acme", "github:acme/*", shared=True), rule("rest", "github:other/*")), 1),
        ((rule("acme", "github:acme/*", shared=True), rule("rest", "github:other/*", shared=True)), 0),
        ((rule("acme", "github:acme/*"), rule("rest", "github:other/*", refs=("refs/heads/main",), release="{tag}")), 0),
        (
            (
                rule("acme", "github:acme/*", refs=("refs/*",), release="x"),
                rule("rest", "github:o/*", refs=("refs/heads/*",), release="y"),
            ),
            0,
        ),
        (
            (
                rule("acme", "github:acme/*", refs=("refs/heads/*",), release="x"),
                rule("rest", "*", refs=("refs/*",), release="x"),
            ),
            2,
        ),
    ],
)
def test_rules_of_two_sources_that_may_make_one_version_are_named(rules: tuple[Rule, ...], meeting: int) -> None:
    found = list(meeting_rules(Rules(rules, {}, sources=(ACME,))))
    assert len(found) == meeting
    assert all("source 'acme' and repositories without a source may make the same version at main" in one for one in found)
    assert list(meeting_rules(Rules(rules, {}))) == [], "without sources there is nothing to say"


def test_rules_of_two_targets_never_meet() -> None:
    there = Rule(name="x", repos=("*",), refs=("refs/tags/*",), targets=("other",), projects=("app",))
    found = list(meeting_rules(Rules((rule("acme", "github:acme/*"), there), {}, sources=(ACME, TILL))))
    assert len(found) == 4
    assert [one.partition(":")[0] for one in found].count("rule 'x'") == 3
    assert found[0].startswith("rule 'acme': source 'acme' and source 'till'"), "both claim acme/till"


@pytest.mark.parametrize(
    ("one", "other", "meet"),
    [
        ("*", "anything", True),
        ("v*", "*-rc", True),
        ("a*", "b*", False),
        ("a?c", "abc", True),
        ("a?c", "ac", False),
        ("[ab]x", "bx", True),
        ("", "", True),
        ("", "*", True),
        ("", "a", False),
        ("a", "", False),
    ],
)
def test_globs_that_have_a_text_in_common_meet(one: str, other: str, meet: bool) -> None:
    assert globs_meet(one, other) is globs_meet(other, one) is meet


@given(st.text("ab*?", max_size=6), st.text("ab", max_size=6))
def test_a_text_meets_the_globs_that_match_it(glob: str, text: str) -> None:
    wanted = re.fullmatch(glob.replace("*", ".*").replace("?", "."), text) is not None
    assert globs_meet(glob, text) is wanted

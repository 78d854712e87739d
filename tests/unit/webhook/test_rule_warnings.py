"""Rules that can never do what they seem to."""

from __future__ import annotations

import pytest

from shared.domain.rules import Rule
from tests.builders import rule, rules
from webhook.ops.rule_warnings import warnings

TAGS, BRANCHES = ("refs/tags/*",), ("refs/heads/*",)


@pytest.mark.parametrize(
    ("release", "refs", "says"),
    [
        ("app@{version}", BRANCHES, "never releases the branches that refs/heads/* matches, since {version}"),
        ("{tag}", ("refs/*",), "never releases the branches that refs/* matches, since {tag}"),
        ("{component}", ("refs/heads/{default_branch}",), "never releases the branches"),
        ("{branch}", TAGS, "never releases the tags that refs/tags/* matches, since {branch}"),
        ("{version}", ("*",), "never releases the branches that * matches"),
        ("{version}", TAGS, None),
        ("{branch}-{sha:12}", BRANCHES, None),
        ("{version}", (*TAGS, "!refs/heads/*"), None),
        ("{sha}", ("refs/*",), None),
        (None, ("refs/*",), None),
    ],
)
def test_a_placeholder_that_the_refs_have_no_value_for_is_told(
    release: str | None, refs: tuple[str, ...], says: str | None
) -> None:
    found = warnings(rules(rule(release=release, refs=refs)), None)
    assert len(found) == (says is not None)
    assert says is None or says in found[0]


@pytest.mark.parametrize(
    ("earlier", "later", "is_shadowed"),
    [
        ({}, {}, True),
        ({"refs": TAGS}, {"refs": ("refs/tags/v*",)}, True),
        ({"repos": ("github:Acme/*",)}, {"repos": ("github:acme/shop",)}, True),
        ({"refs": TAGS, "goes_on": True}, {"refs": TAGS}, False),
        ({"refs": (*TAGS, "!refs/tags/*-rc*")}, {"refs": TAGS}, False),
        ({"refs": ("refs/tags/v*",)}, {"refs": TAGS}, False),
        ({"refs": ("refs/tags/v[0-9]*",)}, {"refs": ("refs/tags/v1*",)}, False),  # that cannot be told
        ({"repos": ("github:acme/*",)}, {"repos": ("github:acme/shop", "gitlab:acme/shop")}, False),
    ],
)
def test_a_rule_that_an_earlier_one_leaves_nothing_to_is_told(
    earlier: dict[str, object], later: dict[str, object], is_shadowed: bool
) -> None:
    first: Rule = rule("first", **earlier)
    found = warnings(rules(first, rule("second", **later)), None)
    assert [text.partition(":")[0] for text in found] == (["rule 'second' is never reached"] if is_shadowed else [])


def test_a_rule_that_matched_nothing_is_told_once_something_is_stored() -> None:
    listed = rules(rule("shop", refs=TAGS), rule("till", refs=BRANCHES))
    assert warnings(listed, None) == []
    assert warnings(listed, {"shop": 3}) == ["rule 'till' has matched no delivery so far: check its repo and refs"]

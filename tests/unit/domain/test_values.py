"""What the small values of the domain say of themselves: refs, pushes, ranges, webhooks, rules."""

from __future__ import annotations

import pytest

from shared.domain.commit_range import Range
from shared.domain.push import Ref, Repository, tag_push
from shared.domain.rules import Rules, Source
from shared.domain.versions import Refused, render_version
from shared.domain.webhook import Hook, check_delivery_id
from shared.errors import BadPayload
from tests.builders import push, rule, target


@pytest.mark.parametrize(
    ("full", "kind", "name"),
    [
        ("refs/tags/v1.2", "tag", "v1.2"),
        ("refs/heads/fix/a", "branch", "fix/a"),
        ("refs/notes/commits", "other", "refs/notes/commits"),
    ],
)
def test_a_ref_has_a_kind_and_a_short_name(full: str, kind: str, name: str) -> None:
    assert (Ref(full).kind, Ref(full).name) == (kind, name)


def test_a_renamed_repository_is_kept_under_its_row_and_asked_about_by_its_newest_name() -> None:
    new, renamed = (
        Repository("github", "acme/shop"),
        Repository("github", "acme/old", row_key="github:acme/first", known_as="acme/shop"),
    )
    assert (new.log_key, new.forge_name) == ("github:acme/shop", "acme/shop")
    assert (renamed.log_key, renamed.forge_name) == ("github:acme/first", "acme/shop")


@pytest.mark.parametrize("length", [40, 64])
def test_a_tag_whose_webhook_never_came_is_a_push_that_creates_it(length: int) -> None:
    made = tag_push(Repository("github", "acme/shop"), "v1", "a" * length)
    assert (made.ref.full, made.sha, made.after) == ("refs/tags/v1", "a" * length, "a" * length)
    assert (made.is_created, made.is_deleted, made.commits) == (True, False, ())
    assert made.before == "0" * length


@pytest.mark.parametrize(
    ("fields", "is_whole"),
    [
        ({}, True),
        ({"base": None}, False),
        ({"partial": "cut"}, False),
        ({"pushes": 2}, False),  # one of them may have taken back what another one lists
        ({"pushes": 2, "is_proven": True}, True),
        ({"is_proven": True, "partial": "cut"}, False),
    ],
)
def test_a_range_is_whole_when_all_since_its_base_is_known(fields: dict[str, object], is_whole: bool) -> None:
    usual: dict[str, object] = {
        "source": "log", "base": "b" * 40, "head": "a" * 40, "commits": (), "partial": None, "is_proven": False
    }  # fmt: skip
    assert Range(**{**usual, **fields}).is_whole is is_whole  # type: ignore[arg-type]


def test_the_variables_that_hold_secrets_are_those_of_targets_and_sources() -> None:
    source = Source(name="s", provider="github", secret_env="ACME_SECRET", repositories=("acme/*",))
    named = Rules(rules=(rule(),), targets={"main": target(), "eu": target("eu", token_env="EU_TOKEN")}, sources=(source,))
    assert named.secret_names == {"ACME_TOKEN", "EU_TOKEN", "ACME_SECRET"}


def test_a_placeholder_that_nothing_fills_refuses_the_version() -> None:
    assert render_version("{nonsense}", push()) == Refused("refs/heads/main has no {nonsense} for the version '{nonsense}'")


def hook(delivery_id: str, scope: str = "") -> Hook:
    return Hook(event="push", delivery_id=delivery_id, content=push(), scope=scope)


def test_a_delivery_is_unique_by_its_id_and_within_its_scope_where_there_is_one() -> None:
    assert hook("x").dedupe_key == "x"
    scoped = {hook("x", "acme/a").dedupe_key, hook("x", "acme/b").dedupe_key, hook("x").dedupe_key}
    assert len(scoped) == 3
    assert hook("x", "acme/a").dedupe_key == hook("x", "acme/a").dedupe_key
    assert len(hook("~" * 200, "a" * 1000).dedupe_key) <= 200


@pytest.mark.parametrize("value", ["", " ", "a b", "é", "a" * 201, "a\n"])
def test_a_delivery_id_is_visible_ascii(value: str) -> None:
    with pytest.raises(BadPayload, match="X-Id: must be 1 to 200 visible ASCII characters"):
        check_delivery_id(value, "X-Id")


def test_a_good_delivery_id_is_handed_on() -> None:
    assert check_delivery_id("~" * 200, "X-Id") == "~" * 200

"""Which repository a push is about: its number decides, else its name; what follows a rename, and what does not."""

from __future__ import annotations

from datetime import timedelta

import pytest

from shared.domain.identity import (
    MOST_FORMER,
    FormerName,
    Identity,
    Known,
    OwnRows,
    fresh_key,
    identify,
    is_same_source,
    own_rows,
    owns_old_rows,
    patterns_left_behind,
    renamed,
)
from shared.domain.push import Repository
from shared.domain.rules import CommitRules, NamingRules, ReconcileRules, Rules, Source
from tests.builders import NOW, rule, target

BEFORE, LATER = NOW - timedelta(days=1), NOW + timedelta(days=1)
OLD = Known("github:acme/shop", "acme/shop")  # from before there were numbers
MINE = Known("github:acme/shop", "acme/shop", 1, BEFORE)
ALICE = Source(name="alice", provider="github", secret_env="A", repositories=("alice/*",))
BOB = Source(name="bob", provider="github", secret_env="B", repositories=("Bob/*",))


def named(name: str, number: int | None = 1) -> Repository:
    return Repository("github", name, id=number)


@pytest.mark.parametrize(
    ("repository", "known", "found"),
    [
        pytest.param(named("acme/shop"), [], Identity(), id="nobody knows it"),
        pytest.param(named("acme/shop"), [MINE], Identity(MINE), id="nothing new"),
        pytest.param(named("acme/store"), [MINE], Identity(MINE, is_news=True), id="renamed"),
        pytest.param(named("Acme/shop"), [MINE], Identity(MINE, is_news=True), id="spelled anew"),
        pytest.param(named("acme/shop", None), [MINE], Identity(MINE), id="only a name"),
        pytest.param(named("ACME/shop", None), [OLD], Identity(OLD), id="only a name in another case"),
        pytest.param(named("acme/other", None), [], Identity(), id="only a name that nobody knows"),
        pytest.param(named("Acme/Shop"), [OLD], Identity(OLD, is_claimed=True, is_news=True), id="the first number"),
        pytest.param(named("acme/shop", 2), [MINE], Identity(), id="a new one takes the name over"),
        pytest.param(
            named("acme/shop", 2), [MINE, OLD._replace(key="github:Acme/Shop")], Identity(), id="and what has no number"
        ),
    ],
)
def test_which_repository_it_is(repository: Repository, known: list[Known], found: Identity) -> None:
    assert identify(repository, known, NOW) == found


def test_the_first_number_takes_the_row_of_the_same_spelling_and_the_others_with_it() -> None:
    other = Known("github:Acme/Shop", "Acme/Shop")
    found = identify(named("acme/shop"), [other, OLD], NOW)
    assert found == Identity(OLD, is_claimed=True, is_news=True, twins=(other,))
    assert renamed(OLD, "acme/shop", NOW, found.twins).names == ("acme/shop", "Acme/Shop")


def test_a_push_that_is_older_than_the_name_we_know_names_nothing_anew() -> None:
    assert identify(named("acme/store"), [MINE], BEFORE) == Identity(MINE)


def test_a_name_that_another_one_had_in_between_is_news() -> None:
    guest = Known("github:acme/shop#2", "acme/shop", 2, NOW)
    assert identify(named("acme/shop"), [MINE, guest], LATER) == Identity(MINE, is_news=True)
    assert identify(named("acme/shop", None), [MINE, guest], LATER).row == guest
    assert identify(named("acme/shop"), [MINE, guest], NOW) == Identity(MINE)


def test_a_number_counts_among_names_that_the_same_secrets_speak_for() -> None:
    victim = Known("github:alice/shop", "alice/shop", 1, BEFORE)
    assert identify(named("bob/shop"), [victim], NOW, (ALICE, BOB)) == Identity()
    assert identify(named("alice/store"), [victim], NOW, (ALICE, BOB)).row == victim
    assert is_same_source((ALICE, BOB), "github", "carol/a", "dave/b")
    assert not is_same_source((ALICE, BOB), "github", "bob/a", "dave/b")
    assert is_same_source((ALICE, BOB), "gitlab", "bob/a", "dave/b")


def test_a_new_repository_gets_a_key_of_its_own() -> None:
    assert fresh_key(named("acme/shop", 2), []) == "github:acme/shop"
    assert fresh_key(named("acme/shop", 2), [MINE]) == "github:acme/shop#2"
    assert fresh_key(named("acme/shop", None), [MINE]) == "github:acme/shop#"


@pytest.mark.parametrize(
    ("row", "known", "owns"),
    [
        (None, [], True),
        (OLD, [OLD], True),
        (None, [MINE], False),
        (None, [MINE._replace(name="acme/store")], False),
        (None, [Known("github:bob/shop", "bob/shop", 2, NOW)], True),
        (Known("github:acme/shop#2", "acme/shop", 2, NOW), [MINE], False),
    ],
)
def test_what_has_only_a_name_belongs_to_whoever_had_it_first(row: Known | None, known: list[Known], owns: bool) -> None:
    assert owns_old_rows(named("acme/shop", 2), row, known) is owns


def test_former_names_are_kept_once_each_and_not_without_end() -> None:
    row = MINE
    for number in range(MOST_FORMER + 5):
        row = renamed(row, f"acme/n{number}", NOW)
    assert len(row.former) == MOST_FORMER
    assert row.names[0] == f"acme/n{MOST_FORMER + 4}"
    back = renamed(renamed(MINE, "acme/store", NOW), "acme/shop", LATER)
    assert back.former == (FormerName("acme/store", LATER),)
    assert renamed(MINE, "acme/shop", LATER) == MINE._replace(named_at=LATER)


def test_what_of_the_configuration_names_only_the_old_name() -> None:
    rules = Rules(
        rules=(rule("web", repos=("github:Acme/*", "github:*/shop")), rule("all")),
        targets={"main": target(repositories={"github:acme/shop": "Shop", "github:other/shop": "Shop"})},
        commits=CommitRules(repositories=((("github:acme/shop",), NamingRules()),)),
        reconcile=ReconcileRules(repositories=("github:acme/*",)),
        sources=(
            Source(name="acme", provider="github", secret_env="A", repositories=("acme/*",)),
            Source(name="lab", provider="gitlab", secret_env="B", repositories=("acme/*",)),
        ),
    )
    assert patterns_left_behind(rules, "github", ["acme/shop"], "other/shop") == [
        "rule 'web': repo = \"github:Acme/*\"",
        "source 'acme': repositories = \"acme/*\"",
        'commits.repositories: repo = "github:acme/shop"',
        'reconcile: repositories = "github:acme/*"',
        "target 'main': repositories = \"github:acme/shop\"",
    ]
    assert patterns_left_behind(rules, "github", ["ACME/shop"], "acme/shop") == []


RENAMED = Known("github:acme/old", "acme/new", 1, BEFORE, (FormerName("acme/Old", BEFORE),))
TAKER = Known("github:acme/old#2", "acme/old", 2, NOW)


@pytest.mark.parametrize(
    ("name", "known", "found"),
    [
        pytest.param("acme/Shop", [MINE], OwnRows(("acme/Shop", "acme/shop")), id="in another case"),
        pytest.param("acme/new", [RENAMED], OwnRows(("acme/new", "acme/Old")), id="renamed"),
        pytest.param("acme/old", [RENAMED], OwnRows(("acme/old", "acme/new", "acme/Old")), id="by its old name"),
        pytest.param("acme/old", [RENAMED, TAKER], OwnRows(("acme/old",), frozenset([2])), id="who took the name"),
        pytest.param(
            "acme/new", [RENAMED, TAKER], OwnRows(("acme/new", "acme/Old"), frozenset([1, None])), id="not the taker's"
        ),
        pytest.param("acme/shop", [OLD, Known("x", "Acme/Shop")], OwnRows(("acme/shop", "Acme/Shop")), id="two without number"),
    ],
)
def test_which_rows_a_name_means(name: str, known: list[Known], found: OwnRows) -> None:
    assert own_rows(name, known) == found

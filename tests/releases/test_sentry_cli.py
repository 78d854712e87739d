"""The real sentry-cli against a served process, in a real git repository: each command works and did what it says."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.releases.shop import Shop, know_repository, open_shop


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    with open_shop(tmp_path_factory.mktemp("shop")) as made:
        for name in ("one", "two", "three"):
            made.commit(name)
        yield made


def test_releases_new_and_finalize(shop: Shop) -> None:
    assert "Created release new@1" in shop.cli("releases", "new", "new@1", "--url", "https://acme.test/new")
    shown = shop.api("releases/new@1/")
    assert (shown["url"], shown["dateReleased"]) == ("https://acme.test/new", None)
    assert shown["userAgent"].startswith("sentry-cli/")
    assert "Finalized release new@1" in shop.cli("releases", "finalize", "new@1")
    assert shop.api("releases/new@1/")["dateReleased"] is not None


def test_set_commits_local_then_the_next_release_gets_what_is_new(shop: Shop) -> None:
    shop.cli("releases", "new", "local@1")
    assert "Success! Set commits for release local@1" in shop.cli("releases", "set-commits", "local@1", "--local")
    history = shop.git("log", "--format=%H").split()
    assert shop.ids("local@1") == history
    shown = shop.api("releases/local@1/")
    assert shown["authors"] == [{"name": "Ann Lee", "email": "ann@acme.test"}]
    assert shown["commitCount"] == len(history)
    newest = shop.commit("local-more")
    shop.cli("releases", "new", "local@2")
    shop.cli("releases", "set-commits", "local@2", "--local")
    assert shop.ids("local@2") == [newest]


def test_set_commits_auto_of_an_unknown_repository_falls_back_to_git(shop: Shop) -> None:
    newest = shop.commit("auto-local")
    assert "Success! Set commits" in shop.cli("releases", "set-commits", "fallback@1", "--auto")
    assert shop.ids("fallback@1")[0] == newest


def test_set_commits_auto_and_commit_of_a_known_repository(shop: Shop) -> None:
    know_repository(shop)
    first, head = shop.git("rev-list", "--max-parents=0", "HEAD"), shop.git("rev-parse", "HEAD")
    assert head[:12] in shop.cli("releases", "set-commits", "auto@1", "--auto")
    assert shop.api("releases/auto@1/")["commitCount"] is None
    shown = shop.cli("releases", "set-commits", "range@1", "--commit", f"acme/shop@{first}..{head}")
    assert f"{first[:12]} -> {head[:12]}" in shown
    assert shop.api("releases/range@1/")["version"] == "range@1"
    shop.cli("releases", "set-commits", "auto@1", "--clear")
    assert shop.api("releases/auto@1/")["commitCount"] == 0


def test_list_and_info(shop: Shop) -> None:
    shop.cli("releases", "new", "info@1")
    shop.cli("releases", "set-commits", "info@1", "--local", "--initial-depth", "2")
    assert "info@1" in shop.cli("releases", "list")
    shown = shop.cli("releases", "info", "info@1", "-C")
    assert all(key in shown for key in shop.ids("info@1"))
    assert "info@1" in shop.cli("releases", "info", "info@1", "-P")


def test_archive_restore_delete(shop: Shop) -> None:
    shop.cli("releases", "new", "old@1")
    shop.cli("releases", "archive", "old@1")
    assert shop.api("releases/old@1/")["status"] == "archived"
    shop.cli("releases", "restore", "old@1")
    assert shop.api("releases/old@1/")["status"] == "open"
    assert "Deleted release old@1" in shop.cli("releases", "delete", "old@1")
    assert "Did nothing" in shop.cli("releases", "delete", "old@1")
    assert "old@1" not in [one["version"] for one in shop.api("releases/?status=")]


def test_deploys_new_and_list(shop: Shop) -> None:
    shop.cli("releases", "new", "deployed@1")
    shop.cli("deploys", "new", "-r", "deployed@1", "-e", "production", "-n", "first", "-t", "30")
    (deploy,) = shop.api("releases/deployed@1/deploys/")
    assert (deploy["environment"], deploy["name"]) == ("production", "first")
    assert deploy["dateStarted"] is not None
    listed = shop.cli("deploys", "list", "-r", "deployed@1")
    assert "production" in listed
    assert "first" in listed


def test_info_shows_scopes(shop: Shop) -> None:
    assert "project:releases" in shop.cli("info")

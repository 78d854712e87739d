"""What a repository is called at the target, and what is asked to know it."""

from __future__ import annotations

import pytest

from shared.errors import PermanentError
from shared.targets.repository_names import KnownRepository, RepositoryNames, match_repository

KNOWN = [
    KnownRepository("acme/web", "https://github.com/acme/web"),
    KnownRepository("Acme / Back End / API", "https://gitlab.example.com/acme/backend/api"),
    KnownRepository("Tools", "https://gitlab.example.com/acme/tools.git"),
]


@pytest.mark.parametrize(
    ("full_name", "name"),
    [
        ("acme/web", "acme/web"),
        ("acme/backend/api", "Acme / Back End / API"),
        ("acme/tools", "Tools"),
        ("acme/unknown", None),
        ("web", None),
    ],
)
def test_a_repository_is_found_by_name_by_display_name_or_by_address(full_name: str, name: str | None) -> None:
    assert match_repository(full_name, KNOWN) == name


def test_a_display_name_that_is_the_path_with_spaces_matches_without_an_address() -> None:
    assert match_repository("acme/api", [KnownRepository("Acme / API", None)]) == "Acme / API"


def test_the_list_is_asked_for_once_and_a_configured_name_needs_none() -> None:
    asked: list[int] = []

    def fetch() -> list[KnownRepository]:
        asked.append(1)
        return KNOWN

    names = RepositoryNames()
    assert names.find("t", "acme/web", {"github:acme/web": "Shop"}, "github:acme/web", fetch) == ("Shop", True)
    assert names.find("t", "Acme/Web", {"github:acme/web": "Shop"}, "github:Acme/Web", fetch) == ("Shop", True)
    assert asked == []
    assert names.find("t", "acme/web", {}, "github:acme/web", fetch) == ("acme/web", True)
    assert names.find("t", "acme/tools", {}, "gitlab:acme/tools", fetch) == ("Tools", True)
    assert names.find("t", "acme/new", {}, "gitlab:acme/new", fetch) == ("acme/new", False)
    assert len(asked) == 1


def test_a_target_that_does_not_list_its_repositories_gets_the_providers_spelling() -> None:
    def fetch() -> list[KnownRepository]:
        raise PermanentError("no scope", reason="target_auth", status=403)

    assert RepositoryNames().find("t", "acme/web", {}, "github:acme/web", fetch) == ("acme/web", None)

"""Links to a provider's pages are made of the configured address, whatever a payload says."""

from __future__ import annotations

import pytest

from shared.forges.web_links import Links, links

SHA = "c" * 40


@pytest.mark.parametrize(
    ("provider", "api", "ref", "repository", "commit", "page"),
    [
        ("github", "https://api.github.com", "refs/tags/v1", "https://github.com/a/b", "/commit/", "/tree/v1"),
        ("github", "https://ghe.acme.test/api/v3/", "refs/heads/x/y", "https://ghe.acme.test/a/b", "/commit/", "/tree/x/y"),
        ("gitlab", "https://gitlab.com", "refs/tags/v#1", "https://gitlab.com/a/b", "/-/commit/", "/-/tags/v%231"),
        ("gitlab", "https://git.acme.test/api/v4", "refs/heads/x", "https://git.acme.test/a/b", "/-/commit/", "/-/tree/x"),
    ],
)
def test_each_provider_has_its_own_pages(provider: str, api: str, ref: str, repository: str, commit: str, page: str) -> None:
    assert links(provider, api, "a/b", ref, SHA) == Links(repository, f"{repository}{commit}{SHA}", f"{repository}{page}")


def test_what_is_no_name_makes_no_link() -> None:
    assert links("none", "https://x.test", "a/b", "refs/tags/v1", SHA) is None
    assert links("github", "https://api.github.com", "a/../b", "refs/tags/v1", SHA) is None
    assert links("github", "https://api.github.com", "a/b", "refs/notes/x", "x") == Links("https://github.com/a/b", None, None)

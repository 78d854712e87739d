"""Addresses of a provider's pages for people: made of its configured API address, never of what a payload says. Pure."""

from __future__ import annotations

from typing import NamedTuple
from urllib.parse import quote

from shared.domain.names import SHA, is_full_name


class Links(NamedTuple):
    """`ref`: of the tag or branch; None where it is neither."""

    repository: str
    commit: str | None
    ref: str | None


# provider -> (suffixes of an API address that the pages lack, what stands before `commit`, tags, branches)
_PATHS = {
    "github": ("/api/v3", "", "tree", "tree"),
    "gitlab": ("/api/v4", "/-", "tags", "tree"),
}


def links(provider: str, api_url: str, full_name: str, ref: str, sha: str) -> Links | None:
    """None for an unknown provider, and for a name that no provider would take."""
    if provider not in _PATHS or not is_full_name(full_name):
        return None
    suffix, dash, tags, branches = _PATHS[provider]
    base = api_url.rstrip("/").removesuffix(suffix)
    base = "https://github.com" if base == "https://api.github.com" else base
    repository = f"{base}/{full_name}"
    kinds = {"refs/tags/": tags, "refs/heads/": branches}
    page = next(
        (f"{repository}{dash}/{kind}/{quote(ref[len(head) :])}" for head, kind in kinds.items() if ref.startswith(head)), None
    )
    return Links(repository, f"{repository}{dash}/commit/{sha}" if SHA.fullmatch(sha) else None, page)

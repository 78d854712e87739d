"""Commits and refs as a client sends them."""

from __future__ import annotations

from typing import Any


def commit(*keys: str, repository: str = "shop") -> list[dict[str, Any]]:
    return [{"id": key, "repository": repository, "author_email": f"{key}@acme.test"} for key in keys]


def ref(commit: str, repository: str = "shop", **more: Any) -> dict[str, Any]:
    return {"repository": repository, "commit": commit, **more}

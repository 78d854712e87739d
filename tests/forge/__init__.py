"""A forge for tests: real git repositories behind a real HTTP server that speaks GitHub's or GitLab's API."""

from __future__ import annotations

from tests.forge.git import git, name_status, rev_list
from tests.forge.histories import HISTORIES, Built, History, random_histories
from tests.forge.replies import Reply, reply, secondary, throttled, used_up
from tests.forge.server import Forge

__all__ = [
    "HISTORIES",
    "Built",
    "Forge",
    "History",
    "Reply",
    "git",
    "name_status",
    "random_histories",
    "reply",
    "rev_list",
    "secondary",
    "throttled",
    "used_up",
]

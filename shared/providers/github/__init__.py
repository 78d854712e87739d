"""GitHub: repository, organization and App hooks, github.com and Enterprise Server."""

from __future__ import annotations

from typing import TYPE_CHECKING

from shared.providers.github.hooks import check_secret, read, verify
from shared.providers.provider import Provider

if TYPE_CHECKING:
    from shared.providers.forge import Forge, ForgeAccess


def open_forge(access: ForgeAccess) -> Forge:
    from shared.providers.github.commits import GitHubForge

    return GitHubForge(access)


PROVIDER = Provider(
    name="github",
    verify=verify,
    read=read,
    check_secret=check_secret,
    open_forge=open_forge,
    media_types=("application/json", "application/x-www-form-urlencoded"),
    hint="GitHub: Settings > Webhooks > Add webhook, content type application/json, this URL, the secret, event: push",
)

"""GitLab: project, group and system hooks, gitlab.com and self-managed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from shared.providers.gitlab.hooks import check_secret, read, verify
from shared.providers.provider import Provider

if TYPE_CHECKING:
    from shared.providers.forge import Forge, ForgeAccess


def open_forge(access: ForgeAccess) -> Forge:
    from shared.providers.gitlab.commits import GitLabForge

    return GitLabForge(access)


PROVIDER = Provider(
    name="gitlab",
    verify=verify,
    read=read,
    check_secret=check_secret,
    open_forge=open_forge,
    media_types=("application/json",),
    hint="GitLab: Settings > Webhooks > Add new webhook, this URL, the secret token, triggers: push and tag push events",
)

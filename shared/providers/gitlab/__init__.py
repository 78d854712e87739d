"""GitLab: project, group and system hooks, gitlab.com and self-managed."""

from __future__ import annotations

from shared.providers.gitlab.hooks import check_secret, read, verify
from shared.providers.incoming import Provider

PROVIDER = Provider(
    name="gitlab",
    verify=verify,
    read=read,
    check_secret=check_secret,
    media_types=("application/json",),
    hint="GitLab: Settings > Webhooks > Add new webhook, this URL, the secret token, triggers: push and tag push events",
)

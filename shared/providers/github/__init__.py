"""GitHub: repository, organization and App hooks, github.com and Enterprise Server."""

from __future__ import annotations

from shared.providers.github.hooks import check_secret, read, verify
from shared.providers.incoming import Provider

PROVIDER = Provider(
    name="github",
    verify=verify,
    read=read,
    check_secret=check_secret,
    media_types=("application/json", "application/x-www-form-urlencoded"),
    hint="GitHub: Settings > Webhooks > Add webhook, content type application/json, this URL, the secret, event: push",
)

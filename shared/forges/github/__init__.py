"""GitHub: repository, organization and App hooks, github.com and Enterprise Server."""

from __future__ import annotations

from typing import TYPE_CHECKING

from shared.forges.github.webhooks import check_secret, read, verify
from shared.forges.provider_interface import Provider, proof

if TYPE_CHECKING:
    from shared.forges.forge import Forge, ForgeAccess


def open_forge(access: ForgeAccess) -> Forge:
    from shared.forges.github.api import GitHubForge

    return GitHubForge(access)


PROVIDER = Provider(
    name="github",
    verify=verify,
    read=read,
    check_secret=check_secret,
    open_forge=open_forge,
    media_types=("application/json", "application/x-www-form-urlencoded"),
    event_header="x-github-event",
    id_header="x-github-delivery",
    kept_headers=(
        "x-github-event",
        "x-github-delivery",
        "content-type",
        "user-agent",
        "x-github-hook-id",
        "x-github-hook-installation-target-id",
        "x-github-hook-installation-target-type",
        "x-github-enterprise-host",
        "x-github-enterprise-version",
    ),
    events={"tag_push": "push"},
    is_body_unique=True,
    proofs={
        "githubSignature": proof("X-Hub-Signature-256", "sha256= and the HMAC of the body with GITHUB_WEBHOOK_SECRET"),
    },
    hook_form=(
        ("Where", "the repository's, organization's or App's Settings > Webhooks > Add webhook"),
        ("Payload URL", "{url}"),
        ("Content type", "application/json"),
        ("Secret", "{secret}"),
        ("SSL verification", "Enable SSL verification"),
        ("Which events would you like to trigger this webhook?", "Just the push event (tags are pushes, too)"),
        ("Active", "ticked"),
    ),
    hint="GitHub: Settings > Webhooks > Add webhook, content type application/json, this URL, the secret, event: push",
)

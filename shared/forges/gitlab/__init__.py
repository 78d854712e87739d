"""GitLab: project, group and system hooks, gitlab.com and self-managed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from shared.forges.gitlab.webhooks import check_secret, guess_event, read, verify
from shared.forges.provider_interface import Provider, proof

if TYPE_CHECKING:
    from shared.forges.forge import Forge, ForgeAccess


def open_forge(access: ForgeAccess) -> Forge:
    from shared.forges.gitlab.api import GitLabForge

    return GitLabForge(access)


PROVIDER = Provider(
    name="gitlab",
    verify=verify,
    read=read,
    check_secret=check_secret,
    open_forge=open_forge,
    media_types=("application/json",),
    event_header="x-gitlab-event",
    id_header="idempotency-key",
    kept_headers=(
        "x-gitlab-event",
        "webhook-id",
        "idempotency-key",
        "content-type",
        "user-agent",
        "webhook-timestamp",
        "x-gitlab-webhook-uuid",
        "x-gitlab-event-uuid",
        "x-gitlab-instance",
    ),
    events={"push": "Push Hook", "tag_push": "Tag Push Hook", "system": "System Hook"},
    guess_event=guess_event,
    proofs={
        "gitlabToken": proof("X-Gitlab-Token", "GITLAB_WEBHOOK_SECRET"),
        "standardWebhook": proof(
            "webhook-signature",
            "Standard Webhooks (a GITLAB_WEBHOOK_SECRET of whsec_...), with webhook-id and webhook-timestamp",
        ),
    },
    hook_form=(
        ("Where", "the project's or group's Settings > Webhooks > Add new webhook"),
        ("URL", "{url}"),
        ("Secret token (a whsec_ value: Signing token)", "{secret}"),
        ("Trigger", "Push events (All branches) and Tag push events"),
        ("SSL verification", "Enable SSL verification"),
    ),
    hint="GitLab: Settings > Webhooks > Add new webhook, this URL, the secret token, triggers: push and tag push events",
)

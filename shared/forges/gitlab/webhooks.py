"""GitLab's webhooks as values: token or signature, event, delivery id, payload. Touches nothing.

Facts: https://docs.gitlab.com/user/project/integrations/webhook_events/ ; the signature is that of
https://www.standardwebhooks.com (GitLab merge request 230944).
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from collections.abc import Sequence
from datetime import datetime

from shared.domain.push import Commit, Ignored, Push, Repository, is_zero
from shared.domain.reasons import Reason
from shared.domain.webhook import Hook, Incoming, check_delivery_id
from shared.errors import BadPayload, BadSignature, NoSignature
from shared.forges.commit_fields import check_commits, read_commits
from shared.forges.json_fields import Fields, read_json

_SIGNING_PREFIX = "whsec_"
_TOLERANCE_SECONDS = 300
_MOST_SIGNATURES = 20
_PUSH_KINDS = ("push", "tag_push")


def check_secret(secret: str) -> str | None:
    """A signing token is `whsec_` and the base64 of its key; anything else is a plain token."""
    if secret.startswith(_SIGNING_PREFIX) and not _signing_key(secret):
        return "begins with whsec_, but what follows is not base64"
    return None


def _signing_key(secret: str) -> bytes | None:
    text = secret.removeprefix(_SIGNING_PREFIX)
    try:
        return base64.b64decode(text + "=" * (-len(text) % 4), validate=True)
    except (binascii.Error, ValueError):
        return None


def verify(incoming: Incoming, secrets: Sequence[str], now: datetime) -> tuple[str, ...]:
    """A signature header that is present, even empty, decides alone: a good token must not rescue a bad signature."""
    if incoming.headers.get("webhook-signature") is not None:
        return _verify_signature(incoming, secrets, now)
    return _verify_token(incoming, secrets)


def _verify_token(incoming: Incoming, secrets: Sequence[str]) -> tuple[str, ...]:
    given = incoming.header_bytes("x-gitlab-token")
    if given is None:
        raise NoSignature("token missing")
    plain = (secret for secret in secrets if not secret.startswith(_SIGNING_PREFIX))
    fitting = tuple(secret for secret in plain if hmac.compare_digest(secret.encode(), given))
    if not fitting:
        raise BadSignature("token wrong")
    return fitting


def _verify_signature(incoming: Incoming, secrets: Sequence[str], now: datetime) -> tuple[str, ...]:
    """Any `v1` entry may match any active signing token: that is how rotation works."""
    message_id, timestamp = incoming.header_bytes("webhook-id"), incoming.header_bytes("webhook-timestamp")
    if not message_id or not timestamp or not timestamp.isdigit() or len(timestamp) > 12:
        raise BadSignature("signature without webhook-id and webhook-timestamp")
    if abs(now.timestamp() - int(timestamp)) > _TOLERANCE_SECONDS:
        raise BadSignature("webhook-timestamp is more than five minutes off")
    signed = message_id + b"." + timestamp + b"." + incoming.body
    entries = (incoming.header_bytes("webhook-signature") or b"").split()[:_MOST_SIGNATURES]
    fitting = tuple(secret for secret in secrets if _signs(secret, signed, entries))
    if not fitting:
        raise BadSignature("signature wrong")
    return fitting


def _signs(secret: str, signed: bytes, entries: Sequence[bytes]) -> bool:
    key = _signing_key(secret) if secret.startswith(_SIGNING_PREFIX) else None
    if not key:
        return False
    wanted = b"v1," + base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest())
    fits = False
    for entry in entries:
        fits |= hmac.compare_digest(wanted, entry)
    return fits


def guess_event(body: bytes) -> str | None:
    """The word for the event whose kind stands in the body."""
    return next((kind for kind in reversed(_PUSH_KINDS) if b'"%s"' % kind.encode() in body), None)


def read(incoming: Incoming, with_commits: bool = True) -> Hook:
    """See `Provider`."""
    event = incoming.headers.get("x-gitlab-event", "")
    if not event or len(event) > 100:
        raise BadPayload("X-Gitlab-Event: the header is missing" if not event else "X-Gitlab-Event: is too long")
    sent_id = _sent_delivery_id(incoming)
    fields = read_json(incoming.body)
    content = _read_content(event, fields, with_commits)
    delivery_id = sent_id or _digest(event, content, incoming.body)
    return Hook(event=event, delivery_id=delivery_id, content=content, is_id_derived=sent_id is None)


def _sent_delivery_id(incoming: Incoming) -> str | None:
    """webhook-id is covered by the signature, so it goes first; both stay the same when a person resends."""
    for name in ("webhook-id", "idempotency-key"):
        if (value := incoming.headers.get(name)) is not None:
            return check_delivery_id(value, name)
    return None


def _digest(event: str, content: Push | Ignored, body: bytes) -> str:
    """The delivery id for servers too old to send one: what happened, to which ref; for other events the body."""
    if isinstance(content, Push):
        parts = (event, content.repository.full_name, content.ref.full, content.before, content.after)
        return hashlib.sha256("\n".join(parts).encode()).hexdigest()
    return hashlib.sha256(event.encode() + b"\n" + body).hexdigest()


def _read_content(event: str, fields: Fields, with_commits: bool) -> Push | Ignored:
    """A system hook's header always says System Hook; the kind stands in the body."""
    if event in ("Push Hook", "Tag Push Hook"):
        return _read_push(fields, with_commits)
    if event == "System Hook":
        kind = fields.optional_text("object_kind", 100) or fields.optional_text("event_name", 100)
        if kind in _PUSH_KINDS:
            return _read_push(fields, with_commits)
    return Ignored(
        reason=Reason.EVENT_IGNORED,
        detail="only push and tag push events make releases",
        repository=_repository(fields),
    )


def _repository(fields: Fields) -> Repository | None:
    """The name for the list of deliveries. An event that we ignore is not refused for the shape of what we do not need."""
    try:
        project = fields.optional_object("project")
        return Repository("gitlab", project.full_name("path_with_namespace"), id=_id(fields, project)) if project else None
    except BadPayload:
        return None


def _id(fields: Fields, project: Fields) -> int | None:
    """Both say it in a push; where they disagree, neither is believed."""
    said = {found for found in (fields.row_id("project_id"), project.row_id("id")) if found is not None}
    return said.pop() if len(said) == 1 else None


def _read_push(fields: Fields, with_commits: bool) -> Push:
    project = fields.object("project")
    ref, after = fields.ref("ref"), fields.sha("after")
    commits: tuple[Commit, ...] = ()
    if with_commits:
        commits = read_commits(fields)
    else:
        check_commits(fields)
    # For an annotated tag `after` is the tag object's id; the commit is checkout_sha (null when deleted).
    checkout = fields.optional_sha("checkout_sha")
    sha = checkout or (after if ref.kind == "branch" else None)
    return Push(
        repository=Repository(
            "gitlab",
            project.full_name("path_with_namespace"),
            project.optional_text("default_branch", 1_024),
            _id(fields, project),
        ),
        ref=ref,
        before=fields.sha("before"),
        after=after,
        sha=None if is_zero(after) else sha,
        commits=commits,
        commits_total=fields.count("total_commits_count"),
        head_commit=next((commit for commit in commits if commit.id == sha), None),
    )

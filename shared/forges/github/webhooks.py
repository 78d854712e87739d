"""GitHub's webhooks as values: signature, event, delivery id, payload. Touches nothing.

Facts: https://docs.github.com/en/webhooks/webhook-events-and-payloads and .../validating-webhook-deliveries
"""

from __future__ import annotations

import hmac
from collections.abc import Sequence
from datetime import UTC, datetime
from urllib.parse import parse_qsl

from shared.domain.push import Commit, Ignored, Push, Repository, is_zero
from shared.domain.reasons import Reason
from shared.domain.webhook import Hook, Incoming, check_delivery_id, media_type
from shared.errors import BadPayload, BadSignature, NoSignature
from shared.forges.commit_fields import check_commit, check_commits, read_commit, read_commits
from shared.forges.json_fields import Fields, read_json

_SIGNATURE = "x-hub-signature-256"  # the older X-Hub-Signature is SHA-1 and is not read
_YEAR_3000 = 32_503_680_000
_PAYLOAD_CAP = 2_048  # a push lists at most this many commits


def check_secret(_: str) -> str | None:
    """Any text may be a GitHub secret."""
    return None


def verify(incoming: Incoming, secrets: Sequence[str], _: datetime) -> tuple[str, ...]:
    """HMAC-SHA256 over the raw body, form or not, against every active secret without stopping at the first that fits."""
    given = incoming.header_bytes(_SIGNATURE)
    if given is None:
        raise NoSignature("signature missing")
    fitting = tuple(secret for secret in secrets if _fits(secret, incoming.body, given))
    if not fitting:
        raise BadSignature("signature wrong")
    return fitting


def _fits(secret: str, body: bytes, given: bytes) -> bool:
    digest = hmac.digest(secret.encode(), body, "sha256").hex()
    return hmac.compare_digest(b"sha256=" + digest.encode(), given)


def read(incoming: Incoming, with_commits: bool = True) -> Hook:
    """See `Provider`."""
    event = incoming.headers.get("x-github-event", "")
    if not event or len(event) > 100:
        raise BadPayload("X-GitHub-Event: the header is missing" if not event else "X-GitHub-Event: is too long")
    delivery_id = incoming.headers.get("x-github-delivery")
    if delivery_id is None:
        raise BadPayload("X-GitHub-Delivery: the header is missing")
    check_delivery_id(delivery_id, "X-GitHub-Delivery")
    fields = read_json(_payload(incoming))
    content: Push | Ignored
    if event == "push":
        content = _read_push(fields, with_commits)
    elif event == "ping":
        content = Ignored(reason=Reason.PING, detail=_ping_detail(fields), repository=_repository(fields))
    else:
        content = Ignored(
            reason=Reason.EVENT_IGNORED, detail="only the push event makes releases", repository=_repository(fields)
        )
    return Hook(event=event, delivery_id=delivery_id, content=content)


def _payload(incoming: Incoming) -> bytes:
    if media_type(incoming.headers) != "application/x-www-form-urlencoded":
        return incoming.body
    try:
        pairs = parse_qsl(incoming.body.decode("ascii"), keep_blank_values=True, max_num_fields=10, errors="strict")
        payloads = [value for name, value in pairs if name == "payload"]
    except ValueError:
        raise BadPayload("the body is not a form") from None
    if len(payloads) != 1:
        raise BadPayload("payload: the form must hold this field once")
    return payloads[0].encode()


def _repository(fields: Fields) -> Repository | None:
    """The name for the list of deliveries. An event that we ignore is not refused for the shape of what we do not need."""
    try:
        repository = fields.optional_object("repository")
        return Repository("github", repository.full_name("full_name"), id=repository.row_id("id")) if repository else None
    except BadPayload:
        return None


def _ping_detail(fields: Fields) -> str:
    """Tells the person who has just made the hook when it will never send a push."""
    hook = fields.optional_object("hook")
    events = hook.texts("events", 100, 100) if hook else None
    if events is not None and not {"push", "*"} & set(events):
        return "the hook works, but it is not subscribed to the push event: no release will come of it"
    return "the hook works; a push of a tag or branch that a rule wants will make a release"


def _read_push(fields: Fields, with_commits: bool) -> Push:
    repository = fields.object("repository")
    ref, after = fields.ref("ref"), fields.sha("after")
    head_fields = fields.optional_object("head_commit")
    head: Commit | None = None
    commits: tuple[Commit, ...] = ()
    if with_commits:
        head = read_commit(head_fields) if head_fields else None
        commits = read_commits(fields)
    else:
        if head_fields:
            check_commit(head_fields)
        check_commits(fields)
    # For an annotated tag `after` is the tag object's id; the commit is head_commit.id, which may be null.
    sha = head_fields.sha("id") if head_fields else after
    return Push(
        repository=Repository(
            "github",
            repository.full_name("full_name"),
            repository.optional_text("default_branch", 1_024) or repository.optional_text("master_branch", 1_024),
            repository.row_id("id"),
        ),
        ref=ref,
        before=fields.sha("before"),
        after=after,
        sha=None if is_zero(after) or fields.flag("deleted") else sha,
        commits=commits,
        commits_total=len(commits) if ref.kind == "branch" and _is_whole(commits, head) else None,
        head_commit=head,
        is_forced=fields.flag("forced"),
        is_peeled=head_fields is not None or ref.kind == "branch",
        pushed_at=_pushed_at(repository),
    )


def _pushed_at(repository: Fields) -> datetime | None:
    """Seconds since 1970 in a push, a text in other events. No push is refused for it."""
    seconds = repository.row_id("pushed_at")
    if seconds is not None:
        return datetime.fromtimestamp(seconds, UTC) if seconds < _YEAR_3000 else None
    return repository.time("pushed_at") if isinstance(repository.values.get("pushed_at"), str) else None


def _is_whole(commits: Sequence[Commit], head: Commit | None) -> bool:
    """GitHub gives no count: a list that is not full and holds the head is whole. A branch set back lists nothing."""
    return len(commits) < _PAYLOAD_CAP and head is not None and any(commit.id == head.id for commit in commits)

"""One attempt of a job, flat: read the stored payload, plan, send, record the deploy. Holds no transaction while it waits."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import httpx2

from shared.errors import PermanentError, Rejected
from shared.http import Deadline
from shared.jobs import Claimed
from shared.providers import PROVIDERS
from shared.providers.incoming import Incoming
from shared.push import Push
from shared.rules import Rules
from worker.plan import plan_release
from worker.sentry import Sent, SentryClient

ATTEMPT_SECONDS = 22.0  # all calls of one attempt together; a SIGTERM must be obeyed within 30

Note = Callable[..., bool]  # writes facts to the job while it is ours; False when it no longer is


@dataclass(frozen=True, slots=True)
class Done:
    """The release is there. `range` is the contract's JSON, None when we sent no commits by intent."""

    sent: Sent
    range: Mapping[str, Any] | None


class LostLease(Exception):
    """Another worker has the job now; nothing more may be sent or written."""


@dataclass(frozen=True, slots=True)
class Tools:
    """What an attempt works with."""

    client: httpx2.Client
    rules: Rules
    token: Callable[[str], str | None]  # the value of a `token_env`


def process(job: Claimed, tools: Tools, note: Note) -> Done:
    """Create the job's release. Raises TransientError, PermanentError, LostLease."""
    deadline = Deadline(ATTEMPT_SECONDS)
    sentry = _open_target(job, tools)
    plan = plan_release(read_push(job), version=job.version, spec=job.spec, received_at=job.created_at)
    sent = sentry.send_release(plan.body, delivery_id=job.delivery_id, deadline=deadline)
    if plan.environment is not None:
        _record_deploy(job, plan.environment, sentry, note, deadline)
    return Done(sent, plan.range.as_json() if plan.range else None)


def _open_target(job: Claimed, tools: Tools) -> SentryClient:
    target = tools.rules.targets.get(job.target)
    if target is None:
        raise PermanentError(
            f"the target {job.target!r} is not in the configuration any more: put it back, or replay the delivery",
            reason="no_rule",
        )
    token = tools.token(target.token_env)
    if token is None:
        raise PermanentError(f"{target.token_env}, the token of the target {target.name!r}, is not set", reason="target_auth")
    return SentryClient(tools.client, target, token)


def read_push(job: Claimed) -> Push:
    """The push of the stored payload, read again as the door read it."""
    if job.body is None or job.headers is None:
        raise PermanentError("the payload of this delivery has expired; push again or backfill", reason="missed_webhook")
    try:
        hook = PROVIDERS[job.provider].read(Incoming(job.headers, job.body))
    except (Rejected, KeyError) as problem:
        raise PermanentError(f"the stored payload cannot be read: {problem}", reason="missed_webhook") from None
    if not isinstance(hook.content, Push):
        raise PermanentError("the stored payload is no push", reason="missed_webhook")
    return hook.content


def _record_deploy(job: Claimed, environment: str, sentry: SentryClient, note: Note, deadline: Deadline) -> None:
    """Deploys are not idempotent at Sentry: the intent is written down first, and after an unclear answer we look."""
    finished_at = datetime.now(UTC)
    if job.deploy is not None:
        if job.deploy["state"] == "sent":
            return
        finished_at = datetime.fromisoformat(job.deploy["finished_at"])
        # Whole seconds: a server may keep fewer digits than we sent.
        since = finished_at.replace(microsecond=0)
        if sentry.find_deploy(job.version, environment=environment, since=since, deadline=deadline):
            return
    if not note(deploy={"state": "sending", "finished_at": finished_at.isoformat()}):
        raise LostLease
    body = {
        "environment": environment,
        "projects": list(job.spec["projects"]),
        "dateFinished": finished_at.isoformat(),
    }
    try:
        sentry.send_deploy(job.version, body, delivery_id=job.delivery_id, deadline=deadline)
    except PermanentError:
        note(deploy=None)  # refused for certain: a later replay may send it
        raise
    note(deploy={"state": "sent", "finished_at": finished_at.isoformat()})

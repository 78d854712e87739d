"""Records the deploy of a release that the target has, once."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta

from shared.domain.job_warnings import JobWarning, WarningCode
from shared.domain.reasons import Reason
from shared.errors import PermanentError, TransientError
from shared.infra.http_client import Deadline
from shared.ledger.claims import Claimed
from shared.targets.sentry_client import SentryClient
from worker.commits.forge_wait import snooze
from worker.commits.release_commits import Wait

PATIENCE = timedelta(minutes=5)  # that a refused deploy is tried again: Sentry does not find a release that is quite new
_NOT_DONE = (409, 425, 429)  # said before anything is done: the deploy may be sent again at once

Note = Callable[..., bool]  # writes facts to the job while it is ours; False when it no longer is


class LostLease(Exception):
    """Another worker has the job now; nothing more may be sent or written."""


def record_deploy(
    job: Claimed,
    sentry: SentryClient,
    note: Note,
    deadline: Deadline,
    wait: timedelta,
    at: datetime,
    *,
    is_for_all: bool = False,
) -> tuple[datetime, tuple[JobWarning, ...]]:
    """The time of the newest deploy, and a warning where the target has refused it for PATIENCE.

    `at`: when what is deployed happened. `wait`: after an unclear answer, until the target must be done with it. `is_for_all`:
    the release is in the rule's projects and no others. Raises TransientError, PermanentError, Wait, LostLease.
    """
    try:
        return _send_once(job, sentry, note, deadline, wait, at, is_for_all=is_for_all), ()
    except TransientError as problem:
        if not problem.is_of_release:
            raise
        now, before = datetime.now(UTC), {} if job.deploy is None or job.deploy["state"] == "sent" else job.deploy
        since = before.get("refused_at", now.isoformat())
        state = "sending" if before.get("state") == "sending" else "refused"
        note(deploy={"finished_at": at.isoformat(), **before, "state": state, "refused_at": since})
        if now - datetime.fromisoformat(since) < PATIENCE and not job.is_last_try:
            raise
        return at, (JobWarning(WarningCode.DEPLOY_REFUSED, str(problem)),)


def _send_once(
    job: Claimed,
    sentry: SentryClient,
    note: Note,
    deadline: Deadline,
    wait: timedelta,
    at: datetime,
    *,
    is_for_all: bool,
) -> datetime:
    """The time of the deploy that is there now.

    Deploys are not idempotent at Sentry: the intent is written down first. After an unclear answer we look, and send it
    again only when a slow target, or a proxy before it, must be done with it. Raises Wait until then.
    """
    asked_at = datetime.now(UTC)
    finished_at = at  # of the event, not of our work: whoever sorts by time must see the newer version last
    environment = str(job.spec["environment"])
    if job.deploy is not None and job.deploy["state"] == "sent":
        recorded_at = datetime.fromisoformat(job.deploy["finished_at"])
        if job.deploy_at is None or job.deploy_at <= recorded_at:
            return recorded_at
    if job.deploy is not None and job.deploy["state"] == "sending":
        finished_at = datetime.fromisoformat(job.deploy["finished_at"])
        if sentry.find_deploy(job.version, environment=environment, finished_at=finished_at, deadline=deadline):
            note(deploy={"state": "sent", "finished_at": finished_at.isoformat()})
            return finished_at
        until = datetime.fromisoformat(job.deploy.get("asked_at", job.deploy["finished_at"])) + wait
        if until > asked_at:
            why = "whether the target has the deploy is unclear: it is looked for, and sent again only if it does not turn up"
            raise Wait(snooze(until, Reason.DEPLOY_UNCLEAR, why))
    kept = {"finished_at": finished_at.isoformat(), "asked_at": asked_at.isoformat()}
    refused = {"refused_at": job.deploy["refused_at"]} if job.deploy and "refused_at" in job.deploy else {}
    if not note(deploy={"state": "sending", **kept, **refused}):
        raise LostLease
    body = {
        "environment": environment,
        "projects": list(job.spec["projects"]),
        "dateFinished": finished_at.isoformat(),
    }
    try:
        _send(job, sentry, body, deadline, is_for_all=is_for_all)
    except PermanentError:
        note(deploy=None)  # refused for certain: a later replay may send it
        raise
    except TransientError as problem:
        if problem.status in _NOT_DONE:
            note(deploy=None)
        raise
    note(deploy={"state": "sent", **kept})
    return finished_at


def _send(job: Claimed, sentry: SentryClient, body: Mapping[str, object], deadline: Deadline, *, is_for_all: bool) -> None:
    """A token of the scope project:releases alone may name no projects at Sentry. Without them a deploy counts for all that the
    release is in."""
    try:
        sentry.send_deploy(job.version, body, delivery_id=job.delivery_id, deadline=deadline)
    except TransientError as problem:
        if problem.status != 400 or not is_for_all:
            raise
        bare = {field: value for field, value in body.items() if field != "projects"}
        sentry.send_deploy(job.version, bare, delivery_id=job.delivery_id, deadline=deadline)

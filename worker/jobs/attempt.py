"""One attempt of a job, flat: read the stored payload, plan, send, record the deploy. Holds no transaction while it waits."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx2

from shared.domain.job_warnings import JobWarning, WarningCode, as_json
from shared.domain.push import Push, Ref, Repository, tag_push
from shared.domain.reasons import Reason
from shared.domain.release_answer import count_commits, has_other_projects
from shared.domain.release_plan import plan_release
from shared.domain.rules import Rules, Target
from shared.errors import PermanentError, Rejected
from shared.forges.reading import read_stored_push
from shared.infra.http_client import Deadline
from shared.ledger.claims import Claimed
from shared.ledger.contributions import Contribution
from shared.targets.http_exchanges import Exchanges
from shared.targets.sentry_client import Sent, SentryClient
from worker.commits.event_times import find_event_at
from worker.commits.forge_wait import snooze
from worker.commits.release_commits import COLLECT_SECONDS, Gatherer, Wait
from worker.jobs.deploy_order import check_order
from worker.jobs.deploys import Note, record_deploy
from worker.jobs.sending import Sender

SEND_SECONDS = 22.0  # all calls to the target of one attempt together
_TARGET_NEW, _TARGET_NEW_AGAIN = timedelta(seconds=30), timedelta(seconds=5)  # each process reads the file by itself
_TARGET_GONE_AGAIN = timedelta(minutes=1)
LONGEST_ATTEMPT_SECONDS = COLLECT_SECONDS + SEND_SECONDS


@dataclass(frozen=True, slots=True)
class Done:
    """The release is there. `range` is the contract's JSON, None when we sent no commits by intent.

    `sent` is None where a recollect found the list that the release has. `complete_at`: the list is partial and the forge may
    give the rest then. `own`: to be remembered with the outcome. `event_at`: the release's own date, of a job that no webhook
    made. `warnings`: how the release differs from what was asked. `deployed_at`: the time of its newest deploy, if any.
    """

    sent: Sent | None
    range: Mapping[str, Any] | None
    complete_at: datetime | None = None
    own: Contribution | None = None
    event_at: datetime | None = None
    warnings: tuple[JobWarning, ...] = ()
    deployed_at: datetime | None = None

    @property
    def changes(self) -> Mapping[str, int] | None:
        """What a recollect has done to the list: {"added", "removed"}."""
        return self.range.get("recollected") if self.range is not None and self.sent is not None else None


@dataclass(frozen=True, slots=True)
class Tools:
    """What an attempt works with."""

    client: httpx2.Client
    rules: Rules
    token: Callable[[str], str | None]  # the value of a `token_env`
    gatherer: Gatherer

    def under(self, rules: Rules) -> Tools:
        """The same with other rules, for jobs that begin from now on."""
        return replace(self, rules=rules, gatherer=replace(self.gatherer, rules=rules.commits, in_force=rules))


def process(job: Claimed, tools: Tools, note: Note, kept: Exchanges) -> Done:
    """Create the job's release; every call to the target is put into `kept`.

    Raises TransientError, PermanentError, Wait, LostLease.
    """
    target = _target(job, tools, datetime.now(UTC))
    sentry = _open(target, tools, kept)
    push = read_push(job)
    gathered = tools.gatherer.gather(job, push, target, sentry, datetime.now(UTC))
    if gathered.is_listed:
        return Done(None, gathered.range)
    event_at = find_event_at(tools.gatherer.engine, job, gathered, tools.gatherer.in_force.sources)
    body = plan_release(push, version=job.version, spec=job.spec, received_at=event_at, listed=gathered.listed)
    deadline = Deadline(SEND_SECONDS)
    released = Sender(tools.gatherer.engine, sentry, job, gathered.is_new).release(body, deadline)
    sent, warnings = released.sent, released.warnings
    is_refused = any(warning.code is WarningCode.REFS_REFUSED for warning in warnings)
    if "refs" in body and not is_refused and gathered.is_linked is False and not count_commits(sent.answer):
        name = gathered.listed[0].repository
        why = f"no integration stands behind the repository {name!r} at the target, so it finds no commits"
        warnings += (JobWarning(WarningCode.REPOSITORY_UNLINKED, why),)
    deployed_at = None
    if job.spec["environment"] is not None and not job.is_recollect:
        tools.gatherer.keep(gathered.own)  # whatever becomes of the deploy, the release lists these commits now
        if warnings:
            note(warnings=as_json(warnings))
        is_for_all = not has_other_projects(body["projects"], sent.answer)
        at = job.deploy_at or event_at
        deployed_at, refused = record_deploy(job, sentry, note, deadline, target.deploy_wait, at, is_for_all=is_for_all)
        warnings += refused or check_order(tools.gatherer.engine, job, deployed_at)
    found = _with_left_out(gathered.range, released.left_out)
    return Done(sent, found, gathered.complete_at, gathered.own, event_at, warnings, deployed_at)


def is_answering(job: Claimed, tools: Tools, kept: Exchanges) -> bool:
    """Whether the job's target answers a cheap question, after the job itself has failed there."""
    return _open(_target(job, tools, datetime.now(UTC)), tools, kept).is_answering()


def _with_left_out(found: Mapping[str, Any] | None, left_out: str | None) -> Mapping[str, Any] | None:
    if found is None or left_out is None:
        return found
    return {**found, "partial": f"{found['partial']}; {left_out}" if found["partial"] else left_out}


def _target(job: Claimed, tools: Tools, now: datetime) -> Target:
    """The job's target. Raises Wait where the rules in force have none of this name: it may be put back, or so new that this
    process has not read it yet."""
    target = tools.rules.targets.get(job.target)
    if target is None:
        again = _TARGET_NEW_AGAIN if now - job.created_at < _TARGET_NEW else _TARGET_GONE_AGAIN
        why = f"the target {job.target!r} is not in the configuration: put it back into tagship.toml, or cancel the job"
        raise Wait(snooze(now + again, Reason.NO_RULE, why))
    return target


def _open(target: Target, tools: Tools, kept: Exchanges) -> SentryClient:
    token = tools.token(target.token_env)
    if token is None:
        raise PermanentError(
            f"{target.token_env}, the token of the target {target.name!r}, is not set", reason=Reason.TARGET_AUTH
        )
    return SentryClient(tools.client, target, token, kept)


def read_push(job: Claimed) -> Push:
    """The push of the stored payload, read again as the door read it. A tag needs none: its row says all there is; and so
    does that of a branch whose list was collected before."""
    ref, repository = Ref(job.ref), Repository(job.provider, job.repository, id=job.repository_id)
    if job.body is None and ref.kind == "tag":  # made by reconcile or backfill, or older than payloads are kept
        return tag_push(repository, ref.name, job.sha)
    if job.body is None and job.is_recollect and job.range is not None:
        before = job.range["base"] or "0" * len(job.sha)
        return Push(repository=repository, ref=ref, before=before, after=job.sha, sha=job.sha)
    if job.body is None or job.headers is None:
        raise PermanentError("the payload of this delivery has expired; push again or backfill", reason=Reason.MISSED_WEBHOOK)
    try:
        push = read_stored_push(job.provider, job.headers, job.body)
    except Rejected as problem:
        raise PermanentError(f"the stored payload cannot be read: {problem}", reason=Reason.MISSED_WEBHOOK) from None
    if push is None:
        raise PermanentError("the stored payload is no push", reason=Reason.MISSED_WEBHOOK)
    return push

"""Gathers what a release lists: its own repository's range, what other repositories put into the same release, and names.

A forge that limits us holds every job of its token; one that fails makes the release wait for a bounded time, then it is
sent with what is known and completed later. `worker/commits/forge_wait.py` decides which.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy.engine import Engine

from shared.domain.commit_range import Range, payload_range
from shared.domain.push import Push
from shared.domain.reasons import Reason
from shared.domain.recollected_list import Keep, judge_again
from shared.domain.release_plan import Listed
from shared.domain.rules import NO_RULES, CommitRules, Rules, Target
from shared.domain.source_versions import source_of
from shared.errors import PermanentError, TransientError
from shared.forge_access import note, respect
from shared.forges.errors import Missing, NoCommit, RateLimited
from shared.forges.forge import Forge
from shared.infra.database import reading
from shared.infra.http_client import Deadline
from shared.ledger import claims, contributions, identities
from shared.ledger.claims import Claimed
from shared.ledger.contributions import Contribution
from shared.targets.repository_names import RepositoryNames
from shared.targets.sentry_client import SentryClient
from worker.commits.forge_pool import Forges
from worker.commits.forge_wait import (
    ASK_AGAIN,
    COMPLETE_AGAIN,
    PUSH_LATE,
    NotRecollected,
    Snooze,
    collecting_time,
    complete_later,
    decide_recollect,
    decide_wait,
    is_within,
    snooze,
)
from worker.commits.history_writer import log_all
from worker.commits.push_log import PushLog
from worker.commits.range_finder import Collector
from worker.commits.version_check import check_version

COLLECT_SECONDS = 60.0
_USED_UP = 0.5  # seconds: what is left of an attempt's time when it was used up


class Wait(Exception):
    """The job waits, without an attempt spent, for something that is not its fault."""

    def __init__(self, snooze: Snooze) -> None:
        super().__init__(snooze.waiting["detail"])
        self.snooze = snooze


@dataclass(frozen=True, slots=True)
class Gathered:
    """`listed` begins with the push's own repository. `complete_at`: when to ask again for what is missing.

    `own` is to be remembered once the release lists it: other repositories that share the version send it along. `is_new`:
    nothing of ours is known to be in the release. `is_linked`: of the repository at the target, for `refs`. `is_listed`: a
    recollect found what the release lists.
    """

    range: Mapping[str, Any] | None
    listed: tuple[Listed, ...]
    complete_at: datetime | None = None
    own: Contribution | None = None
    is_new: bool = False
    is_linked: bool | None = None
    is_listed: bool = False


@dataclass(frozen=True, slots=True)
class Gatherer:
    """What gathering works with."""

    engine: Engine
    forges: Forges
    names: RepositoryNames
    rules: CommitRules
    in_force: Rules = NO_RULES  # the whole configuration
    stopping: threading.Event = field(default_factory=threading.Event)  # set on shutdown: nothing is begun after that

    def gather(self, job: Claimed, push: Push, target: Target, sentry: SentryClient, now: datetime) -> Gathered:
        """The commits of the release. Raises Wait, NotRecollected, PermanentError where another tag has the version."""
        mode = job.spec["set_commits"]
        push, names = self._locate(job, push)
        own_key = push.repository.log_key
        own = Contribution(
            target=job.target,
            version=job.version,
            repository_key=own_key,
            full_name=push.repository.full_name,
            ref=job.ref if push.ref.kind == "tag" else None,
            is_first=job.is_first_contact,
            source=source_of(self.in_force.sources, push.repository.provider, push.repository.forge_name),
            is_shared=any(rule.shared for rule in self.in_force.rules if rule.name == job.spec["rule"]),
        )
        check_version(self.engine, job, own, names, self.in_force.sources)
        if mode == "skip" or (mode == "refs" and job.is_recollect and not job.has_no_refs):
            return Gathered(job.range, (), own=own, is_listed=job.is_recollect)
        name, is_known = self._name(push.repository.key, push.repository.full_name, target, sentry)
        if mode == "refs":
            is_linked = self.names.is_linked(target.name, name, sentry.list_repositories)
            return Gathered(None, (Listed(name, ()),), own=own, is_linked=is_linked)
        if is_known and job.is_first_contact:
            with self.engine.begin() as connection:
                contributions.learn(connection, target.name, push.repository.full_name, now)
        found, complete_at = (payload_range(push), None) if mode == "payload" else self._collect(job, push, names, now)
        shown: dict[str, Any] = {"repository": {"name": name, "known": is_known}}
        if mode == "auto" and not found.commits and push.is_created and push.ref.kind == "branch" and not found.partial:
            return Gathered({**found.as_json(), **shown}, (), is_listed=job.is_recollect)  # the version is there
        with reading(self.engine).begin() as connection:
            kept = contributions.kept_contributions(connection, job.target, job.version)
            successor = contributions.find_successor(connection, job, own_key, names) if own_key in kept else None
        is_listed = False
        if successor is not None:  # its commits are in the release: an older job that ends after it must not take them back
            why = f"{push.ref.name} has moved to {successor[:12]}, whose commits the release lists"
            if job.is_recollect:
                raise NotRecollected(why)
            found, complete_at = replace(found, commits=kept[own_key].commits, partial=why, is_proven=False), None
        elif job.is_recollect and job.range is not None:
            again = judge_again(job.range, kept[own_key].commits if own_key in kept else None, found)
            if isinstance(again, Keep):
                raise NotRecollected(again.why)
            found, is_listed = again.range, again.is_listed
            shown["recollected"] = job.range.get("recollected") if is_listed else again.changes
        if successor is None:
            own = replace(own, commits=found.commits)
        listed = [Listed(name, found.commits)]
        for key, (full_name, commits) in kept.items():
            if key != own_key:
                configured = f"{key.partition(':')[0]}:{full_name}"
                listed.append(Listed(self._name(configured, full_name, target, sentry)[0], commits))
        summary = {**found.as_json(), **{key: value for key, value in shown.items() if value is not None}}
        return Gathered(summary, tuple(listed), complete_at, own, is_new=not kept, is_listed=is_listed)

    def _locate(self, job: Claimed, push: Push) -> tuple[Push, tuple[str, ...]]:
        """The push, with what the rows of its repository refer to; and all that the repository was ever called."""
        with reading(self.engine).begin() as connection:
            repository, names = identities.locate_with_names(
                connection, push.repository, self.in_force.sources, at=job.created_at
            )
        return replace(push, repository=repository), names.every

    def keep(self, own: Contribution | None) -> None:
        """Remember our part of a release at once, apart from the attempt's outcome."""
        if own is not None:
            with self.engine.begin() as connection:
                contributions.contribute(connection, own, datetime.now(UTC))

    def _name(self, key: str, full_name: str, target: Target, sentry: SentryClient) -> tuple[str, bool | None]:
        return self.names.find(target.name, full_name, target.repositories, key, sentry.list_repositories)

    def _collect(self, job: Claimed, push: Push, names: Sequence[str], now: datetime) -> tuple[Range, datetime | None]:
        asked_at, was_sent = self._asked_at(job), job.release_url is not None
        seconds = collecting_time(asked_at=asked_at, now=now, limit=self.rules.wait, was_sent=was_sent, longest=COLLECT_SECONDS)
        deadline = Deadline(seconds, self.stopping)
        for name in names:
            provider = push.repository.provider
            if not log_all(self.engine, provider=provider, repository=name, seconds=seconds / 2, rules=self.in_force):
                return self._without_log(push, now, asked_at, was_sent)
        forge = self.forges.open(push.repository)
        if forge is None:
            self._await_branch(job, push, now, asked_at)
            return self._without_forge(job, push, now, asked_at)
        try:
            respect(self.engine, forge, push.repository, now, asked_at if job.is_recollect else None)
            push = _peeled(push, forge, deadline)
            lists_anyway = not self._is_listed(job, push)
            found = self._collector(job, push, forge, deadline, now, asked_at).collect(lists_anyway=lists_anyway)
        except NoCommit:
            raise
        except (TransientError, PermanentError) as problem:
            if self.stopping.is_set():
                raise Wait(snooze(now, Reason.WORKER_STOPPING, "its worker was asked to stop; another one takes it")) from None
            is_continuing = forge.pages_added > 0 and deadline.left() < _USED_UP
            met = TransientError("the forge's lists are too long to be read by one attempt") if is_continuing else problem
            return self._after_fault(met, job, push, now, asked_at, is_continuing=is_continuing)
        forge.forget_pages()
        return found, None

    def _without_forge(self, job: Claimed, push: Push, now: datetime, asked_at: datetime) -> tuple[Range, datetime | None]:
        """What the log and the payload say. A forge that was of no use lately is asked again for the rest. Raises Wait."""
        deadline = Deadline(COLLECT_SECONDS, self.stopping)
        found = self._collector(job, push, None, deadline, now, asked_at).collect(lists_anyway=not self._is_listed(job, push))
        if job.is_recollect:
            return found, None
        later = None if self.forges.is_off(push.repository.provider) else complete_later(asked_at, now)
        if found.partial is None or later is None:
            return found, None
        if self._is_sent(job, push, found):
            raise Wait(snooze(later, Reason.COMMITS_PARTIAL, found.partial))
        return found, later

    def _is_sent(self, job: Claimed, push: Push, found: Range) -> bool:
        """Whether the release lists these commits already: sending them again would change nothing."""
        if job.release_url is None:
            return False
        with reading(self.engine).begin() as connection:
            kept = contributions.kept_contributions(connection, job.target, job.version).get(push.repository.log_key)
        return {commit.id for commit in found.commits} <= {commit.id for commit in (kept.commits if kept else ())}

    def _after_fault(
        self,
        problem: TransientError | PermanentError,
        job: Claimed,
        push: Push,
        now: datetime,
        asked_at: datetime,
        *,
        is_continuing: bool,
    ) -> tuple[Range, datetime | None]:
        """What is known without the forge, and when to ask again for the rest. Raises Wait, NotRecollected."""
        was_sent, is_named = job.release_url is not None, self.forges.is_named(push.repository.provider)
        if is_named or isinstance(problem, RateLimited):
            note(self.engine, problem, push.repository, now)
        if job.is_recollect:
            end = decide_recollect(problem, now=now, is_continuing=is_continuing)
            raise Wait(end) if isinstance(end, Snooze) else end
        if not is_named:
            self.forges.leave_alone(push.repository, problem)
            if not isinstance(problem, RateLimited | Missing):
                self._await_branch(job, push, now, asked_at)
        collector = self._collector(job, push, None, Deadline(COLLECT_SECONDS, self.stopping), now, asked_at)
        known = collector.collect(lists_anyway=not self._is_listed(job, push))
        decision = decide_wait(
            problem,
            pushed_at=job.created_at,
            asked_at=asked_at,
            now=datetime.now(UTC),  # a slow forge has taken its time
            is_named=is_named,
            limit=self.rules.wait,
            was_sent=was_sent,
            is_whole=known.is_whole,
            is_continuing=is_continuing,
        )
        if isinstance(decision, Snooze):
            raise Wait(decision)
        if decision.complete_at is not None and self._is_sent(job, push, known):
            raise Wait(snooze(decision.complete_at, Reason.COMMITS_PARTIAL, decision.why))
        if known.is_proven:
            return known, None
        partial = f"{known.partial}; {decision.why}" if known.partial else decision.why
        return replace(known, partial=partial), decision.complete_at

    def _asked_at(self, job: Claimed) -> datetime:
        if job.number == 1:
            return job.created_at
        with reading(self.engine).begin() as connection:
            return claims.asked_at(connection, job)

    def _without_log(self, push: Push, now: datetime, asked_at: datetime, was_sent: bool) -> tuple[Range, datetime | None]:
        """Many pushes are still to be read, and a range from half a log could count from the wrong release. Raises Wait."""
        why = f"many pushes of {push.repository.full_name} are still to be read"
        if was_sent or is_within(now + ASK_AGAIN, asked_at, self.rules.wait):
            raise Wait(snooze(now + ASK_AGAIN, Reason.LOG_BEHIND, why))
        return replace(payload_range(push), partial=why, is_proven=False), now + COMPLETE_AGAIN

    def _await_branch(self, job: Claimed, push: Push, now: datetime, asked_at: datetime) -> None:
        """Without an API the log is all there is, and a tag's webhook may come before its branch's. Raises Wait."""
        waited = now - asked_at
        if push.ref.kind != "tag" or push.sha is None or job.release_url is not None or job.delivery_id is None:
            return
        log = PushLog(self.engine, push.repository.log_key, push.sha)
        if waited >= min(PUSH_LATE, self.rules.wait) or not log.is_awaited():
            return
        at = now + max(timedelta(seconds=0.5), waited / 2)
        raise Wait(snooze(at, Reason.PUSH_BEHIND, f"the push that brought {push.sha[:12]} to a branch has not arrived yet"))

    def _is_listed(self, job: Claimed, push: Push) -> bool:
        """Whether the release lists commits of this repository that another job has put there."""
        with reading(self.engine).begin() as connection:
            if push.repository.log_key not in contributions.kept_contributions(connection, job.target, job.version):
                return False
            return job.release_url is None or contributions.has_other_job(connection, job)

    def _collector(
        self, job: Claimed, push: Push, forge: Forge | None, deadline: Deadline, now: datetime, asked_at: datetime
    ) -> Collector:
        lists, since = self.forges.tag_lists, asked_at if job.is_recollect else job.created_at
        return Collector(self.engine, push, forge, self.rules, deadline, now, lists, since, is_recollect=job.is_recollect)


def _peeled(push: Push, forge: Forge, deadline: Deadline) -> Push:
    """The push with the commit that its tag leads to, where the payload does not say it."""
    if push.is_peeled or push.sha is None:
        return push
    return replace(push, sha=forge.peel(push.repository.forge_name, push.sha, deadline), is_peeled=True)

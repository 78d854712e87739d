"""Compares a forge's tags with the ledger and the targets, and queues the releases that are missing.

GitHub and GitLab send no webhook when one push holds more than three tags, and hooks get switched off: what no webhook
told us is found here. Running it twice changes nothing the second time.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from typing import TypeVar

import httpx2
from sqlalchemy.engine import Connection, Engine

from shared.config.settings import Settings
from shared.domain.job_states import JobState, Trigger
from shared.domain.push import Repository, tag_push
from shared.domain.reasons import Reason
from shared.domain.reconcile_report import ReconcileEntry, ReconcileReport, oldest_first
from shared.domain.rules import Decision, Rules, Source, decide
from shared.domain.tag_names import read_tag
from shared.domain.tag_order import newest_of_each_line
from shared.errors import Conflict, PermanentError, TransientError
from shared.forge_access import ForgeAccesses, note, respect
from shared.forges.forge import Forge, Tag, TagDates
from shared.forges.repository_key import read_repository
from shared.infra.database import reading
from shared.infra.http_client import Deadline
from shared.ledger import deliveries, identities, reconcile_runs
from shared.ledger.reconcile_runs import Claimed
from shared.ledger.tag_jobs import ON_ITS_WAY, TagJobs
from shared.targets.sentry_client import SentryClient

T = TypeVar("T")

NO_JOB = Reason.MISSED_WEBHOOK
RECENT_TAGS = 50  # of each line, that a reconcile looks at; a backfill takes all
STEP = 25  # jobs queued in a row
MOST_QUESTIONS = 500  # about releases that a list does not name; one that was right so often is believed
_LIST_SECONDS = 600.0  # all calls of a comparison together, less than the lease of a run


class Comparer:
    """Asks forges and targets. Keeps to rate limits as jobs do: one that is in force is not tried, a new one is noted.

    `compare` raises RateLimited, other TransientError, PermanentError: the forge or a target does not answer.
    """

    def __init__(
        self,
        settings: Settings,
        rules: Rules,
        engine: Engine,
        client: httpx2.Client,
        stopping: threading.Event | None = None,
    ) -> None:
        self._settings = settings
        self._rules = rules
        self._engine = engine
        self._client = client
        self._stopping = stopping
        self._forges = ForgeAccesses(client, settings.forges)

    def under(self, rules: Rules) -> Comparer:
        """The same with other rules."""
        return Comparer(self._settings, rules, self._engine, self._client, self._stopping)

    @property
    def sources(self) -> Sequence[Source]:
        """`[[sources]]` of the configuration."""
        return self._rules.sources

    def compare(
        self, repository: Repository, limit: int | None, *, believes_ledger: bool = False, with_dates: bool = False
    ) -> ReconcileReport:
        """Which releases of the repository's tags are missing where; of each line the newest `limit` tags only, if given.

        `believes_ledger`: a job that has succeeded is proof enough, so that a target is only asked about the others.
        `with_dates`: also ask when the tags of missing releases were made.
        """
        deadline = Deadline(_LIST_SECONDS, self._stopping)
        with reading(self._engine).begin() as connection:
            repository = identities.canonical(connection, repository)
            names = identities.names_of(connection, repository, self._rules.sources)
        forge = self._open(repository)
        tags = self._asking(repository, lambda: forge.tags(repository.full_name, "", deadline))
        known = TagJobs(self._engine, repository, names)
        held: dict[str, _Held] = {}
        entries: list[ReconcileEntry] = []
        for tag in self._newest(repository, tags, limit):
            decision = decide(tag_push(repository, tag.name, tag.sha), self._rules)
            if not decision.work:
                entries.append(_refused(tag, decision))
            for work in decision.work:
                status, reason = known.find(work.target, tag.name, tag.sha) or (None, NO_JOB)
                is_there = believes_ledger and status == JobState.SUCCEEDED
                if not is_there and work.target not in held:
                    held[work.target] = _Held(self._target(work.target), deadline)
                is_there = is_there or held[work.target].has(work.version)
                why = None if is_there else reason or status
                entries.append(ReconcileEntry(tag=tag.name, sha=tag.sha, work=work, why=why, at=tag.at))
        if with_dates:
            missing = {entry.tag for entry in entries if entry.is_missing}
            wanted = [tag for tag in tags if tag.name in missing]
            dates = self._asking(repository, lambda: forge.dates(repository.full_name, wanted, deadline)) if wanted else {}
            entries = [_dated(entry, dates.get(entry.tag)) for entry in entries]
        return ReconcileReport(repository, len(tags), tuple(entries))

    def _newest(self, repository: Repository, tags: Sequence[Tag], limit: int | None) -> list[Tag]:
        """The newest `limit` of each line, so that a busy part of a monorepo does not hide the others."""
        naming = self._rules.commits.naming_for(repository.key)
        by_name = {tag.name: tag for tag in tags}
        read = (read_tag(name, final_suffixes=naming.final_suffixes, templates=naming.templates) for name in by_name)
        return [by_name[tag.name] for tag in newest_of_each_line(read, limit)]

    def _open(self, repository: Repository) -> Forge:
        forge = self._forges.open(repository.provider)
        if forge is None:
            raise PermanentError(f"the API of {repository.provider} is switched off", reason=Reason.REPOSITORY_UNKNOWN)
        respect(self._engine, forge, repository, datetime.now(UTC))
        return forge

    def _asking(self, repository: Repository, ask: Callable[[], T]) -> T:
        """The forge's answer; a limit or a refusal that it names is kept to by all."""
        try:
            return ask()
        except (TransientError, PermanentError) as problem:
            note(self._engine, problem, repository, datetime.now(UTC))
            raise

    def _target(self, name: str) -> SentryClient:
        target = self._rules.targets[name]
        token = self._settings.secret(target.token_env)
        if token is None:
            raise PermanentError(f"{target.token_env}, the token of the target {name!r}, is not set", reason=Reason.TARGET_AUTH)
        return SentryClient(self._client, target, token)


class _Held:
    """What a target holds: its list, and a question for each release that is not in it, since a list may be cut unseen."""

    def __init__(self, sentry: SentryClient, deadline: Deadline) -> None:
        self._sentry = sentry
        self._deadline = deadline
        self._versions = sentry.list_versions(deadline)
        self._missing = 0

    def has(self, version: str) -> bool:
        """Raises TransientError, PermanentError."""
        if version in self._versions:
            return True
        if self._missing >= MOST_QUESTIONS or self._sentry.find_release(version, self._deadline) is None:
            self._missing += 1
            return False
        self._versions.add(version)
        return True


def queue(
    repository: Repository,
    missing: Sequence[ReconcileEntry],
    engine: Engine,
    trigger: Trigger,
    now: Callable[[], datetime],
    sources: Sequence[Source] = (),
    *,
    with_deploys: bool = False,
) -> Iterator[str | None]:
    """Queue what is missing, one transaction each; yields the job's id, or None where it waits already.

    `with_deploys`: also record the deploys that the rules ask for; what these tags announce was deployed long ago, if at all.
    """
    for item in missing:
        if item.work is None:
            continue
        with engine.begin() as connection:
            push = tag_push(repository, item.tag, item.sha)
            work = item.work if with_deploys else item.work._replace(environment=None)
            at = item.tagged_at or item.at
            job_id, waits = deliveries.adopt(connection, push, work, trigger, now(), sources, tag_at=at)
        yield job_id if waits else None


class LostRun(Conflict):
    """The lease ran out, and another process has the run now."""

    def __init__(self) -> None:
        super().__init__("another process has taken this comparison over, since its lease had expired")


class ReconcileRun:
    """One claimed run: compares, writes down what is missing, and queues it where the run creates releases.

    `pause` is called between two steps of STEP jobs, so that other writers come in between; it may raise to stop the run,
    which another process then takes up.
    """

    def __init__(
        self,
        engine: Engine,
        comparer: Comparer,
        mine: Claimed,
        *,
        pause: Callable[[], object] = lambda: None,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._engine = engine
        self._comparer = comparer
        self._mine = mine
        self._pause = pause
        self._clock = clock
        self.queued: list[str] = []  # ids of jobs that now wait

    def compare(self) -> ReconcileReport:
        """The report, also written to the run. Raises what `Comparer.compare` raises, LostRun."""
        found = self._comparer.compare(
            read_repository(self._mine.key),
            self._mine.most_tags,
            believes_ledger=self._mine.is_by_timer,
            with_dates=self._mine.creates,
        )
        to_create = len(entries_to_create(found, self._mine))
        self._write(lambda connection, now: reconcile_runs.save(connection, self._mine, found, to_create=to_create, now=now))
        return found

    def create(self, found: ReconcileReport) -> Iterator[int]:
        """Queue what the run is to create; yields how many entries each step has handled, and ends the run. Raises LostRun."""
        entries = entries_to_create(found, self._mine)
        for start in range(0, len(entries), STEP):
            if start:
                self._pause()
            step = entries[start : start + STEP]
            run, sources = self._mine, self._comparer.sources
            made = queue(found.repository, step, self._engine, run.trigger, self._clock, sources, with_deploys=run.with_deploys)
            self.queued += [job_id for job_id in made if job_id is not None]
            self._write(partial(self._advance, start + len(step)))
            yield len(step)
        self._write(lambda connection, now: reconcile_runs.end(connection, self._mine, error=None, now=now))

    def _advance(self, handled: int, connection: Connection, now: datetime) -> bool:
        return reconcile_runs.advance(connection, self._mine, handled=handled, queued=len(self.queued), now=now)

    def fail(self, error: str) -> None:
        """End the run with this error; one that another process has is left to it."""
        with contextlib.suppress(LostRun):
            self._write(lambda connection, now: reconcile_runs.end(connection, self._mine, error=error, now=now))

    def wait(self, until: datetime, why: str) -> None:
        """Leave the run to a sweeper, from then on."""
        self._write(lambda connection, _: reconcile_runs.wait(connection, self._mine, until=until, why=why))

    def _write(self, write: Callable[[Connection, datetime], bool]) -> None:
        with self._engine.begin() as connection:
            if not write(connection, self._clock()):
                raise LostRun


def entries_to_create(found: ReconcileReport, run: Claimed) -> tuple[ReconcileEntry, ...]:
    """What this run is to queue, oldest first. The timer leaves alone what has a job: a person may have cancelled it."""
    if not run.creates:
        return ()
    wanted = (entry for entry in found.missing if not run.is_by_timer or entry.why == NO_JOB)
    return tuple(oldest_first(entry for entry in wanted if entry.why != ON_ITS_WAY))


def _dated(entry: ReconcileEntry, dates: TagDates | None) -> ReconcileEntry:
    return entry if dates is None else replace(entry, at=dates.committed_at, tagged_at=dates.tagged_at)


def _refused(tag: Tag, decision: Decision) -> ReconcileEntry:
    return ReconcileEntry(tag=tag.name, sha=tag.sha, work=None, why=decision.reason, detail=decision.detail)

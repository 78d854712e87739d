"""Brings one release to the target: looks first after a lost answer, sends less where size or an e-mail is the trouble, and
holds the answer against what was asked. Stores nothing but what is learnt about the target."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from sqlalchemy.engine import Engine

from shared.domain import reduced_bodies, release_answer
from shared.domain.job_warnings import JobWarning, WarningCode, from_json
from shared.domain.reasons import Reason
from shared.errors import PermanentError, TransientError
from shared.infra.database import reading
from shared.infra.http_client import Deadline
from shared.ledger import target_states
from shared.ledger.claims import Claimed
from shared.targets.sentry_client import Sent, SentryClient, write_body

_STAYING = (WarningCode.COMMITS_REPLACED, WarningCode.EMAILS_LEFT_OUT)  # true of the release, whatever a later attempt sees

Body = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Released:
    """The release is there. `left_out`: what was not sent for its size, None where everything was."""

    sent: Sent
    warnings: tuple[JobWarning, ...]
    left_out: str | None = None


@dataclass(frozen=True, slots=True)
class Sender:
    """What sending works with. `is_new`: nothing of ours is known to be in the release."""

    engine: Engine
    sentry: SentryClient
    job: Claimed
    is_new: bool

    def release(self, body: Body, deadline: Deadline) -> Released:
        """Raises TransientError, PermanentError."""
        before = tuple(warning for warning in from_json(self.job.warnings) if warning.code in _STAYING)
        sends_refs_again = self.job.is_recollect and "refs" in body
        if self.job.is_unclear and not sends_refs_again and (there := self._look(body)) is not None:
            without = tuple(one for one in from_json(self.job.warnings) if one.code is WarningCode.REFS_REFUSED)
            return replace(there, warnings=(*before, *without, *there.warnings))
        sent, body, left_out, more = self._send(body, deadline)
        if fields := release_answer.correction(body, sent.answer):
            sent, less = self._correct(sent, fields, deadline)
            more += less
        count = len(body.get("commits", ()))
        if count and sent.is_old and self.is_new and self.job.is_first_try:
            why = "another client had made this release: if it listed commits, these replaced them"
            more.append(JobWarning(WarningCode.COMMITS_REPLACED, why))
        found = release_answer.differences(body, sent.answer)
        known = {warning.code for warning in more}
        kept = self._judge_commits(count, sent)
        return Released(sent, (*before, *more, *(one for one in found if one.code not in known), *kept), left_out)

    def _look(self, body: Body) -> Released | None:
        """The release, if a request whose answer was lost brought all of it; None where it must be sent again."""
        try:
            sent = self.sentry.find_release(self.job.version)
        except PermanentError:
            return None
        except TransientError as problem:
            if problem.reason == Reason.RATE_LIMITED:
                raise
            return None
        if sent is None or not release_answer.holds(body, sent.answer):
            return None
        found = release_answer.differences(body, sent.answer)
        if not release_answer.holds_commits(body, sent.answer):
            lacking = release_answer.lacks_commits(len(body["commits"]), release_answer.count_commits(sent.answer) or None)
            if lacking is None or self._known_to_keep() is not False:
                return None
            found.append(lacking)
        return Released(sent, tuple(found))

    def _send(self, body: Body, deadline: Deadline) -> tuple[Sent, Body, str | None, list[JobWarning]]:
        """POST; what was sent in the end, what had to be left out for its size, and warnings."""
        left_out: str | None = None
        warnings: list[JobWarning] = []
        for _ in range(self.job.failures_of_size - reduced_bodies.FAILURES_OF_SIZE + 1):
            if _is_large(body) and (less := reduced_bodies.smaller(body)) is not None:
                body, left_out = less
        while True:
            try:
                sent = self.sentry.send_release(body, delivery_id=self.job.delivery_id, deadline=deadline)
                return sent, body, left_out, warnings
            except PermanentError as problem:
                if not warnings and (bare := _without_emails(body, problem)) is not None:
                    body, count = bare
                    why = f"the target refused the e-mail addresses of some authors ({count}): their commits were sent without"
                    warnings.append(JobWarning(WarningCode.EMAILS_LEFT_OUT, why))
                elif "refs" in body and problem.reason == Reason.REPOSITORY_UNKNOWN:
                    # Sentry has made the release before it refuses; others have not.
                    body = {field: value for field, value in body.items() if field != "refs"}
                    warnings.append(JobWarning(WarningCode.REFS_REFUSED, f"the release was sent without refs: {problem}"))
                elif _is_of_size(problem, body) and (less := reduced_bodies.smaller(body)) is not None:
                    body, left_out = less
                else:
                    raise self._with_projects(problem, body) from None

    def _correct(self, sent: Sent, fields: Body, deadline: Deadline) -> tuple[Sent, list[JobWarning]]:
        """PUT what the release lacks. A refusal is a warning: the release is there."""
        try:
            answer = self.sentry.correct_release(self.job.version, fields, delivery_id=self.job.delivery_id, deadline=deadline)
        except (PermanentError, TransientError) as problem:
            if isinstance(problem, TransientError) and not self.job.is_last_try:
                raise
            code = WarningCode.NOT_FINALIZED if "dateReleased" in fields else WarningCode.REF_DIFFERS
            return sent, [JobWarning(code, f"the release was there before, and could not be changed: {problem}")]
        return replace(sent, answer={**sent.answer, **answer}), []

    def _judge_commits(self, count: int, sent: Sent) -> tuple[JobWarning, ...]:
        """`count`: commits that were sent. A number that the answer does not say is settled once a day by one more request."""
        kept = release_answer.count_commits(sent.answer)
        if not count:
            return ()
        if kept is None and (keeps := self._known_to_keep()) is None:
            keeps = self.sentry.keeps_any_commit(self.job.version)
            self._learn(keeps)
        elif kept is not None:
            keeps = kept > 0
            if not keeps:
                self._learn(keeps)
        if keeps is not False and kept is None:
            return ()
        lacking = release_answer.lacks_commits(count, kept)
        return () if lacking is None else (lacking,)

    def _known_to_keep(self) -> bool | None:
        with reading(self.engine).begin() as connection:
            return target_states.keeps_commits(connection, self.job.target, datetime.now(UTC))

    def _learn(self, keeps: bool | None) -> None:
        if keeps is not None:
            with self.engine.begin() as connection:
                target_states.learn_keeping(connection, self.job.target, keeps=keeps, now=datetime.now(UTC))

    def _with_projects(self, problem: PermanentError, body: Body) -> PermanentError:
        """The same refusal, naming the projects that the target does not have."""
        if problem.reason != Reason.PROJECT_UNKNOWN:
            return problem
        projects = list(body["projects"])
        unknown = projects if len(projects) == 1 else self.sentry.unknown_projects(projects)
        if not unknown:
            return problem
        named = f"{problem}; no such project: {', '.join(unknown)[:200]}"
        return PermanentError(named, reason=problem.reason, status=problem.status, answer=problem.answer)


def _is_large(body: Body) -> bool:
    return len(write_body(body)) > reduced_bodies.LARGE


def _is_of_size(problem: PermanentError, body: Body) -> bool:
    """A proxy says 400 with a page of its own where a body is too much for it."""
    is_page = problem.answer.lstrip()[:1] == b"<"
    return problem.status == 413 or (problem.status == 400 and is_page and _is_large(body))


def _without_emails(body: Body, problem: PermanentError) -> tuple[Body, int] | None:
    return reduced_bodies.without_emails(body, problem.answer) if problem.status in (400, 422) else None

"""Collects the true commit range of a release: payload, commit log and forge, in the order of what each costs.

The log must hold every push of the repository that we have received (`worker/commits/history_writer.py`).
Asks and stores; which range is right is decided in `push_chain.py` and in `shared/domain/` (docs/decisions/0008).
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from sqlalchemy.engine import Engine

from shared.domain.commit_range import Range, payload_range, with_files
from shared.domain.push import Commit, Push
from shared.domain.rules import CommitRules
from shared.errors import PermanentError, TransientError
from shared.forges.errors import Missing, RateLimited
from shared.forges.forge import Comparison, Forge
from shared.infra.database import reading
from shared.infra.http_client import Deadline
from shared.ledger import push_history
from shared.ledger.forge_limits import hold
from worker.commits.forge_history import ForgeHistory, cut_note
from worker.commits.push_log import PushLog
from worker.commits.tag_range import TagRange


class Collector:
    """Collects for one push. `forge` is None when it may not or cannot be asked: then the log and the payload speak."""

    def __init__(
        self, engine: Engine, push: Push, forge: Forge | None, rules: CommitRules, deadline: Deadline, now: datetime
    ) -> None:
        assert push.sha is not None  # noqa: S101  (no job is made of a push without a commit)
        self._engine = engine
        self._push = push
        self._head: str = push.sha
        self._forge = forge
        self._rules = rules
        self._deadline = deadline
        self._now = now
        self._key = push.repository.key
        self._name = push.repository.full_name
        self._log = PushLog(engine, self._key, self._head)
        self._history = ForgeHistory(forge, self._name, self._head, deadline) if forge is not None else None

    def collect(self) -> Range:
        """The range. Raises what the forge raises: RateLimited, Missing, TransientError, PermanentError."""
        if self._push.ref.kind == "tag":
            found = TagRange(push=self._push, log=self._log, history=self._history, rules=self._rules).collect()
        else:
            found = self._branch_range()
        return self._fill_files(found)

    # --- branches: before..after of the push -------------------------------------------------------------------------

    def _branch_range(self) -> Range:
        push = self._push
        payload = payload_range(push)
        if push.is_created:
            return self._first_release(payload.commits)
        lost = self._log.lost_base(push.ref.full, push.before)
        if lost is None and payload.partial is None and (payload.is_proven or self._history is None):
            return payload
        if self._history is None:
            return self._branch_without_forge(payload, lost)
        is_lost = lost is not None and self._is_behind(self._history, lost)
        base = lost if lost is not None and is_lost else push.before
        found = self._compared(self._history, base)
        if found is None:
            # Gone after a forced push: nothing can be counted from it any more.
            return replace(payload, partial=f"{base[:12]} is gone at the forge; the payload's commits", is_proven=False)
        return replace(found, how=found.how or ("last_head" if is_lost else "push"))

    def _branch_without_forge(self, payload: Range, lost: str | None) -> Range:
        chain = self._log.chain({lost or self._push.before})
        if chain is not None and (found := self._log.range_of(chain)) is not None:
            return replace(found, how="last_head" if lost else "push")
        if lost is None:
            return payload
        return replace(payload, partial="a push before this one never arrived, so its commits are missing", is_proven=False)

    def _is_behind(self, history: ForgeHistory, sha: str) -> bool:
        try:
            return history.is_ancestor(sha)
        except Missing as problem:
            if problem.name == self._head:
                raise
            return False

    def _compared(self, history: ForgeHistory, base: str) -> Range | None:
        """base..head by the forge, None where it has forgotten the base."""
        compared = history.compare(base)
        if compared is None:
            return None
        if not isinstance(compared, Comparison):
            return self._first_release(())
        return Range(
            source="api",
            base=base,
            head=self._head,
            commits=compared.commits,
            partial=cut_note(compared),
            is_proven=compared.is_complete,
        )

    def _first_release(self, listed: tuple[Commit, ...]) -> Range:
        """No release to count from: the newest few commits, never the whole history."""
        if self._history is not None:
            commits = self._history.newest_commits(self._rules.first_release)
            return Range(
                source="api", base=None, head=self._head, commits=commits, partial=None, is_proven=True, how="first_release"
            )
        payload = payload_range(self._push)
        return replace(payload, commits=(listed or payload.commits)[: self._rules.first_release], how="first_release")

    # --- files -------------------------------------------------------------------------------------------------------

    def _fill_files(self, found: Range) -> Range:
        """File lists from the log, then from the forge for the newest commits that lack them, as many calls as allowed."""
        missing = tuple(commit.id for commit in found.commits if commit.files is None)
        if not missing:
            return found
        with reading(self._engine).begin() as connection:
            found = with_files(found, push_history.known_commits(connection, self._key, missing))
        if self._forge is not None and (asked := self._ask_files(self._forge, found)):
            found = with_files(found, asked)
            with self._engine.begin() as connection:
                push_history.save_commits(connection, self._key, asked.values(), self._now)
        return found

    def _ask_files(self, forge: Forge, found: Range) -> dict[str, Commit]:
        """A range without every file list is better than one that waits for them, or fails by one of them."""
        asked: dict[str, Commit] = {}
        for commit in [commit for commit in found.commits if commit.files is None][: self._rules.file_calls]:
            if self._deadline.left() < 1:
                break
            try:
                asked[commit.id] = commit._replace(files=forge.files(self._name, commit.id, self._deadline))
            except Missing:
                continue
            except RateLimited as problem:
                with self._engine.begin() as connection:
                    hold(connection, problem.scope, problem.until, str(problem))
                break
            except (TransientError, PermanentError) as problem:
                if problem.status != 200:
                    break
                # Answered, but with what we cannot keep, such as a path that is too long.
        return asked

"""Collects the true commit range of a release: payload, commit log and forge, in the order of what each costs.

The log must hold every push of the repository that we have received (`worker/commits/history_writer.py`).
Asks and stores; which range is right is decided in `push_chain.py` and in `shared/domain/` (docs/decisions/0008).
"""

from __future__ import annotations

from datetime import datetime

from sqlalchemy.engine import Engine

from shared.domain.commit_range import Range, with_files
from shared.domain.push import Commit, Push
from shared.domain.rules import CommitRules
from shared.errors import PermanentError, TransientError
from shared.forge_access import note
from shared.forges.errors import Missing, RateLimited
from shared.forges.forge import Forge
from shared.infra.database import reading
from shared.infra.http_client import Deadline
from shared.ledger import push_history
from worker.commits.branch_range import BranchRange, first_release
from worker.commits.forge_history import ForgeHistory
from worker.commits.push_log import PushLog
from worker.commits.tag_lists import TagLists
from worker.commits.tag_range import TagRange


class Collector:
    """Collects for one push. `forge` is None when it may not or cannot be asked: then the log and the payload speak.

    `lists` are tag lists that were read for other releases; one that was read after `pushed_at` serves this one, too.
    `is_recollect`: someone asks for the best answer, so that the forge is asked even where the log seems to know it all.
    """

    def __init__(
        self,
        engine: Engine,
        push: Push,
        forge: Forge | None,
        rules: CommitRules,
        deadline: Deadline,
        now: datetime,
        lists: TagLists | None = None,
        pushed_at: datetime | None = None,
        *,
        is_recollect: bool = False,
    ) -> None:
        assert push.sha is not None  # noqa: S101  (no job is made of a push without a commit)
        self._engine = engine
        self._push = push
        self._head: str = push.sha
        self._forge = forge
        self._rules = rules
        self._deadline = deadline
        self._now = now
        self._is_recollect = is_recollect
        self._key = push.repository.log_key
        self._name = push.repository.forge_name
        self._log = PushLog(engine, self._key, self._head)
        self._history = (
            None if forge is None else ForgeHistory(forge, self._name, self._head, deadline, lists, pushed_at or now)
        )

    def collect(self, *, lists_anyway: bool = True) -> Range:
        """The range. Raises what the forge raises: RateLimited, Missing, TransientError, PermanentError.

        `lists_anyway`: a new branch that brings nothing new lists the newest few commits, since its release has no others.
        """
        kind = TagRange if self._push.ref.kind == "tag" else BranchRange
        found = kind(
            push=self._push, log=self._log, history=self._history, rules=self._rules, is_recollect=self._is_recollect
        ).collect()
        if lists_anyway and not found.commits and found.base == self._head:
            found = first_release(self._push, self._history, self._rules)
        return self._fill_files(found)

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
            except (TransientError, PermanentError) as problem:
                if isinstance(problem, RateLimited):
                    note(self._engine, problem, self._push.repository, self._now)
                if problem.status != 200:
                    break
                # Answered, but with what we cannot keep, such as a path that is too long.
        return asked

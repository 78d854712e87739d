"""The commits of a branch's release: those of the push, or for a branch that was created what is on no other one.

docs/decisions/0008, "Branches".
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from shared.domain.commit_range import Range, payload_range
from shared.domain.push import Commit, Push
from shared.domain.rules import CommitRules
from shared.forges.errors import Missing
from shared.forges.forge import Comparison
from worker.commits.forge_history import ForgeHistory, cut_note
from worker.commits.push_log import PushLog

_MOST_HEADS = 5  # that are compared with a new branch


@dataclass(frozen=True, slots=True, kw_only=True)
class BranchRange:
    """`history` is None when the forge may not or cannot be asked: then the log and the payload speak."""

    push: Push
    log: PushLog
    history: ForgeHistory | None
    rules: CommitRules
    is_recollect: bool = False

    def collect(self) -> Range:
        """The range. Raises what the forge raises."""
        push, payload = self.push, payload_range(self.push)
        if push.is_created:
            return self._created(payload)
        lost = self.log.lost_base(push.ref.full, push.before)
        if lost is None and payload.partial is None and (payload.is_proven or self.history is None):
            return payload
        if self.history is None:
            return self._without_forge(payload, lost)
        is_lost = lost is not None and self._is_behind(self.history, lost)
        base = lost if lost is not None and is_lost else push.before
        found = self._compared(self.history, base)
        if found is None:
            # Gone after a forced push: nothing can be counted from it any more.
            return replace(payload, partial=f"{base[:12]} is gone at the forge; the payload's commits", is_proven=False)
        return replace(found, how=found.how or ("last_head" if is_lost else "push"))

    # --- a branch that was created ----------------------------------------------------------------------------------

    def _created(self, payload: Range) -> Range:
        """From the newest head known before that is an ancestor, else from where it left the default branch."""
        push = self.push
        heads = self.log.heads_before(push.ref.full, push.before)
        if self._head in heads:
            return self._nothing_new("known_head")
        if self.history is None:
            return self._first_release(payload.commits)
        for head in heads[:_MOST_HEADS]:
            compared = self.history.compare(head)
            if isinstance(compared, Comparison) and not compared.commits and compared.is_complete:
                return self._nothing_new("known_head")
            if isinstance(compared, Comparison) and compared.base_is_ancestor:
                return replace(self._listed(compared, head), how="known_head")
        return self._since_default_branch(self.history) or self._first_release(payload.commits)

    def _since_default_branch(self, history: ForgeHistory) -> Range | None:
        default = self.push.repository.default_branch
        if default is None or default == self.push.ref.name:
            return None
        head = history.branch(default)
        compared = None if head is None else history.compare(head)
        if not isinstance(compared, Comparison):
            return None
        if not compared.commits and compared.is_complete:
            return self._nothing_new("branch_point")
        return replace(self._listed(compared, compared.merge_base), how="branch_point")

    def _nothing_new(self, how: str) -> Range:
        return Range(source="log", base=self._head, head=self._head, commits=(), partial=None, is_proven=True, how=how)

    # --- a branch that moved ------------------------------------------------------------------------------------------

    def _without_forge(self, payload: Range, lost: str | None) -> Range:
        chain = self.log.chain({lost or self.push.before})
        if chain is not None and (found := self.log.range_of(chain)) is not None:
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
        return self._listed(compared, base) if isinstance(compared, Comparison) else self._first_release(())

    # --- both -----------------------------------------------------------------------------------------------------------

    @property
    def _head(self) -> str:
        assert self.push.sha is not None  # noqa: S101  (no job is made of a push without a commit)
        return self.push.sha

    def _listed(self, compared: Comparison, base: str) -> Range:
        return Range(
            source="api",
            base=base,
            head=self._head,
            commits=compared.commits,
            partial=cut_note(compared),
            is_proven=compared.is_complete,
        )

    def _first_release(self, listed: tuple[Commit, ...]) -> Range:
        return first_release(self.push, self.history, self.rules, listed)


def first_release(push: Push, history: ForgeHistory | None, rules: CommitRules, listed: tuple[Commit, ...] = ()) -> Range:
    """Nothing to count from: the newest few commits, never the whole history."""
    if history is None:
        payload = payload_range(push)
        return replace(payload, commits=(listed or payload.commits)[: rules.first_release], how="first_release")
    assert push.sha is not None  # noqa: S101
    commits = history.newest_commits(rules.first_release)
    return Range(source="api", base=None, head=push.sha, commits=commits, partial=None, is_proven=True, how="first_release")

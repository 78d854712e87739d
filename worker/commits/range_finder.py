"""Collects the true commit range of a release: payload, commit log and forge, in the order of what each costs.

The log must hold every push of the repository that we have received (`worker/commits/history_writer.py`).
Asks and stores; which range is right is decided in `push_chain.py`, `previous_release.py` and `shared/domain/commit_range.py`.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from sqlalchemy.engine import Engine

from shared.domain.commit_range import Range, payload_range, with_files
from shared.domain.push import Commit, Push
from shared.domain.rules import CommitRules
from shared.domain.tag_order import read_tag
from shared.errors import TransientError
from shared.forges.errors import Missing, RateLimited
from shared.forges.forge import Comparison, Forge, Unrelated
from shared.infra.database import reading
from shared.infra.http_client import Deadline
from shared.ledger import push_history
from shared.ledger.forge_limits import hold
from worker.commits.previous_release import Relation, candidates, choose_previous
from worker.commits.push_chain import Chain, find_chain, is_link

_LOOSE_END = 500  # commits at most where the log's chain ends before a base is found


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
        self._comparisons: dict[str, Comparison | Unrelated] = {}

    def collect(self) -> Range:
        """The range. Raises what the forge raises: RateLimited, Missing, TransientError, PermanentError."""
        found = self._tag_range() if self._push.ref.kind == "tag" else self._branch_range()
        return self._fill_files(found)

    # --- branches: before..after of the push -------------------------------------------------------------------------

    def _branch_range(self) -> Range:
        push = self._push
        payload = payload_range(push)
        if push.is_created:
            return self._first_release(payload.commits)
        lost = self._lost_base()
        if lost is None and payload.partial is None and (payload.is_proven or self._forge is None):
            return payload
        if self._forge is None:
            return self._branch_without_forge(payload, lost)
        base = lost if lost is not None and self._is_behind(lost) else push.before
        try:
            return self._compared(base)
        except Missing as problem:
            if problem.name != base:
                raise
            # Gone after a forced push: nothing can be counted from it any more.
            return replace(payload, partial=f"{base[:12]} is gone at the forge; the payload's commits", is_proven=False)

    def _branch_without_forge(self, payload: Range, lost: str | None) -> Range:
        chain = self._chain({lost or self._push.before})
        if chain is not None and (found := self._from_chain(chain)) is not None:
            return found
        if lost is None:
            return payload
        return replace(payload, partial="a push before this one never arrived, so its commits are missing", is_proven=False)

    def _lost_base(self) -> str | None:
        push = self._push
        with reading(self._engine).begin() as connection:
            return push_history.lost_base(connection, self._key, push.ref.full, push.before, self._head)

    def _is_behind(self, sha: str) -> bool:
        relation = self._relate(sha)
        return relation is not None and relation.is_ancestor

    # --- tags: previous..tag -----------------------------------------------------------------------------------------

    def _tag_range(self) -> Range:
        possible = candidates(self._push.ref.name, self._head, self._tags(), counts_prereleases=self._rules.counts_prereleases)
        chain = self._chain(set(possible.values())) if possible else None
        if chain is not None and not chain.hidden and (found := self._from_chain(chain)) is not None:
            if found.is_proven or self._forge is None:
                return found
            if chain.links == 1 and self._forge.is_ancestor(self._name, chain.base, self._head, self._deadline):
                return replace(found, is_proven=True)
        if self._forge is None:
            return self._without_forge(possible, chain)
        previous = choose_previous(self._push.ref.name, possible, self._relate, self._range_ids, self._recent_ids)
        return self._compared(previous.sha) if previous else self._first_release(())

    def _tags(self) -> dict[str, str]:
        """From the forge whenever it answers: it never announced some of them, or late."""
        if self._forge is not None:
            prefix = read_tag(self._push.ref.name).component or ""
            return {tag.name: tag.sha for tag in self._forge.tags(self._name, prefix, self._deadline)}
        with reading(self._engine).begin() as connection:
            return push_history.announced_tags(connection, self._key)

    def _relate(self, sha: str) -> Relation | None:
        assert self._forge is not None  # noqa: S101
        try:
            relation = self._forge.relate(self._name, sha, self._head, self._deadline)
        except Missing as problem:
            if problem.name == self._head:
                raise
            return None
        return Relation(relation.base_is_ancestor, relation.merge_base is not None, relation.ahead)

    def _range_ids(self, sha: str) -> frozenset[str]:
        compared = self._compare(sha)
        return frozenset(commit.id for commit in compared.commits) if isinstance(compared, Comparison) else frozenset()

    def _recent_ids(self) -> list[str]:
        assert self._forge is not None  # noqa: S101
        return [commit.id for commit in self._forge.commits(self._name, self._head, 100, self._deadline)]

    def _without_forge(self, possible: dict[str, str], chain: Chain | None) -> Range:
        """The log alone, where its chain does not prove the range: what it knows, and why that may not be all."""
        if chain is not None and (found := self._from_chain(chain)) is not None:
            return replace(found, partial="a nearer release lies inside a push, whose list cannot be split", is_proven=False)
        known = self._loose_end(set(possible.values()))
        if not known:
            return payload_range(self._push)
        if not possible:
            return Range(
                source="log",
                base=None,
                head=self._head,
                commits=known[: self._rules.first_release],
                partial=None,
                is_proven=False,
            )
        return Range(
            source="log",
            base=None,
            head=self._head,
            commits=known,
            partial="the log's chain of pushes does not reach the previous release",
            is_proven=False,
        )

    def _loose_end(self, bases: set[str]) -> tuple[Commit, ...]:
        """Commits of the pushes that led here, newest first, up to where the chain ends or a base shows up.

        A push that was cut, forced or made the branch ends it, but what it lists belongs to the head's history all the same.
        """
        ids: dict[str, None] = {}
        with reading(self._engine).begin() as connection:
            sha: str | None = self._head
            while sha is not None and len(ids) < _LOOSE_END:
                found = push_history.branch_pushes_to(connection, self._key, sha)
                link = next((push for push in found if is_link(push)), None)
                last = link or next((push for push in found if sha in push.commit_ids), None)
                newest_first = last.commit_ids[::-1] if last else ()
                fresh = [commit_id for commit_id in newest_first if commit_id not in ids]
                ends = next((index for index, commit_id in enumerate(fresh) if commit_id in bases), None)
                ids.update(dict.fromkeys(fresh[:ends]))
                sha = link.before if link and ends is None and fresh else None
        return self._known(tuple(ids)[:_LOOSE_END]) or ()

    # --- shared ------------------------------------------------------------------------------------------------------

    def _chain(self, bases: set[str]) -> Chain | None:
        with reading(self._engine).begin() as connection:
            return find_chain(self._head, bases, lambda sha: push_history.branch_pushes_to(connection, self._key, sha))

    def _from_chain(self, chain: Chain) -> Range | None:
        commits = self._known(chain.commit_ids)
        if commits is None:
            return None
        return Range(
            source="log",
            base=chain.base,
            head=self._head,
            commits=commits,
            partial=None,
            is_proven=chain.is_proven,
            pushes=chain.links,
        )

    def _known(self, ids: tuple[str, ...]) -> tuple[Commit, ...] | None:
        """The commits of these ids, None when the log has forgotten one of them."""
        with reading(self._engine).begin() as connection:
            known = push_history.known_commits(connection, self._key, ids)
        return tuple(known[commit_id] for commit_id in ids) if len(known) == len(ids) else None

    def _compare(self, base: str) -> Comparison | Unrelated:
        assert self._forge is not None  # noqa: S101
        if base not in self._comparisons:
            self._comparisons[base] = self._forge.compare(self._name, base, self._head, self._deadline)
        return self._comparisons[base]

    def _compared(self, base: str) -> Range:
        compared = self._compare(base)
        if isinstance(compared, Unrelated):
            return self._first_release(())
        partial = None
        if not compared.is_complete:
            whole = "more" if compared.total is None else str(compared.total)
            partial = f"the forge lists {len(compared.commits)} of {whole} commits"
        return Range(
            source="api",
            base=base,
            head=self._head,
            commits=compared.commits,
            partial=partial,
            is_proven=compared.is_complete,
        )

    def _first_release(self, listed: tuple[Commit, ...]) -> Range:
        """No release to count from: the newest few commits, never the whole history."""
        if self._forge is not None:
            commits = self._forge.commits(self._name, self._head, self._rules.first_release, self._deadline)
            return Range(source="api", base=None, head=self._head, commits=commits, partial=None, is_proven=True)
        payload = payload_range(self._push)
        return replace(payload, commits=(listed or payload.commits)[: self._rules.first_release])

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
            except TransientError:
                break  # a range without every file list is better than one that waits for them
        return asked

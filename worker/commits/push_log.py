"""What the log of received pushes knows of the commits behind one head."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime

from sqlalchemy.engine import Engine

from shared.domain.commit_range import Range
from shared.domain.push import Commit
from shared.infra.database import reading
from shared.ledger import push_history
from worker.commits.push_chain import Chain, find_chain, is_link

_LOOSE_END = 500  # commits at most where the log's chain ends before a base is found


class PushLog:
    """The log of one repository, asked about one head."""

    def __init__(self, engine: Engine, repository_key: str, head: str) -> None:
        self._engine = engine
        self._key = repository_key
        self._head = head

    def announced_tags(self) -> Mapping[str, str]:
        """{tag name: commit} as the pushes announced them."""
        with reading(self._engine).begin() as connection:
            return push_history.announced_tags(connection, self._key)

    def tags_announced_since(self, since: datetime) -> Mapping[str, str | None]:
        """{tag name: commit} as announced since then, None for one that was deleted."""
        with reading(self._engine).begin() as connection:
            return push_history.tags_announced_since(connection, self._key, since)

    def times(self, shas: Collection[str]) -> dict[str, datetime]:
        """{sha: time} of those commits that some push described."""
        with reading(self._engine).begin() as connection:
            known = push_history.known_commits(connection, self._key, tuple(shas))
        return {sha: commit.timestamp for sha, commit in known.items() if commit.timestamp is not None}

    def lost_base(self, ref: str, before: str) -> str | None:
        """Where this branch stood when we last heard of it, if a push between that and this one never reached us."""
        with reading(self._engine).begin() as connection:
            return push_history.lost_base(connection, self._key, ref, before, self._head)

    def heads_before(self, ref: str, before: str) -> list[str]:
        """The heads of branches that were known when this push arrived, the newest first."""
        with reading(self._engine).begin() as connection:
            return push_history.heads_before(connection, self._key, ref, before, self._head)

    def is_awaited(self) -> bool:
        """Whether the branch push that brings the head is likely still to come: this repository's branches are announced."""
        with reading(self._engine).begin() as connection:
            if push_history.branch_pushes_to(connection, self._key, self._head):
                return False
            recent = push_history.last_pushes(connection, self._key)
        branches = [push for push in recent if push.ref.startswith("refs/heads/")]
        return bool(branches) and not any(self._head in push.commit_ids for push in branches)

    def chain(self, bases: Collection[str]) -> Chain | None:
        """The shortest chain of whole pushes from one of `bases` to the head."""
        with reading(self._engine).begin() as connection:
            return find_chain(self._head, bases, lambda sha: push_history.branch_pushes_to(connection, self._key, sha))

    def range_of(self, chain: Chain) -> Range | None:
        """The range that a chain lists, None when the log has forgotten one of its commits."""
        commits = self.known(chain.commit_ids)
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
            bases=(chain.base,),
        )

    def known(self, ids: tuple[str, ...]) -> tuple[Commit, ...] | None:
        """The commits of these ids, None when the log has forgotten one of them."""
        with reading(self._engine).begin() as connection:
            known = push_history.known_commits(connection, self._key, ids)
        return tuple(known[commit_id] for commit_id in ids) if len(known) == len(ids) else None

    def loose_end(self, bases: Collection[str]) -> tuple[Commit, ...]:
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
        return self.known(tuple(ids)[:_LOOSE_END]) or ()

"""What a forge says about the history of one commit, asked once each and remembered for one collection."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

from shared.domain.push import Commit
from shared.domain.release_question import Difference, Newest
from shared.forges.errors import Missing
from shared.forges.forge import Comparison, Forge, Tag, Unrelated
from shared.infra.http_client import Deadline
from worker.commits.tag_lists import TagLists

_NEWEST = 100  # one page, whatever is wanted of it


class ForgeHistory:
    """The forge, one repository and one head. Every function raises what the forge raises.

    `commits` are all that were seen, by id.
    """

    def __init__(
        self,
        forge: Forge,
        repository: str,
        head: str,
        deadline: Deadline,
        lists: TagLists | None = None,
        pushed_at: datetime | None = None,
    ) -> None:
        self._forge = forge
        self._repository = repository
        self._head = head
        self._deadline = deadline
        self._lists = lists
        self._pushed_at = pushed_at
        self._comparisons: dict[str, Comparison | Unrelated | None] = {}
        self._newest: tuple[Commit, ...] | None = None
        self.commits: dict[str, Commit] = {}

    def compare(self, base: str) -> Comparison | Unrelated | None:
        """What the head has and `base` has not; None where the forge does not know `base` any more."""
        if base not in self._comparisons:
            try:
                found = self._forge.compare(self._repository, base, self._head, self._deadline)
            except Missing as problem:
                if problem.name == self._head:
                    raise
                self._comparisons[base] = None
                return None
            if isinstance(found, Comparison):
                self.commits.update((commit.id, commit) for commit in found.commits)
            self._comparisons[base] = found
        return self._comparisons[base]

    def difference(self, base: str) -> Difference | None:
        """The same as the rule asks for it."""
        found = self.compare(base)
        if not isinstance(found, Comparison):
            return None
        return Difference(
            parents={commit.id: commit.parents or () for commit in found.commits},
            times={commit.id: commit.timestamp for commit in found.commits},
            is_complete=found.is_complete and all(commit.parents is not None for commit in found.commits),
            is_ancestor=found.base_is_ancestor,
            merge_base=found.merge_base,
            base_at=found.base_at,
        )

    def newest(self) -> Newest:
        """The newest page of commits that the head reaches."""
        found = self.newest_commits(_NEWEST)
        return Newest([commit.id for commit in found], len(found) < _NEWEST)

    def newest_commits(self, limit: int) -> tuple[Commit, ...]:
        if self._newest is None or (len(self._newest) >= _NEWEST and len(self._newest) < limit):
            self._newest = self._forge.commits(self._repository, self._head, max(limit, _NEWEST), self._deadline)
            self.commits.update((commit.id, commit) for commit in self._newest)
        return self._newest[:limit]

    def is_ancestor(self, sha: str) -> bool:
        return self._forge.is_ancestor(self._repository, sha, self._head, self._deadline)

    def tags(self, prefix: str) -> list[Tag]:
        """The tags with this prefix, from a list that was read after the push."""
        key, began = f"{self._forge.scope} {self._repository}", datetime.now(UTC)
        if self._lists is not None and self._pushed_at is not None:
            kept = self._lists.find(key, prefix, self._pushed_at, began)
            if kept is not None:
                return list(kept)
        tags = self._forge.tags(self._repository, prefix, self._deadline)
        if self._lists is not None:
            self._lists.keep(key, prefix, tags, began)
        return tags

    def tag(self, name: str) -> Tag | None:
        """The tag of this name, None where there is none."""
        try:
            return self._forge.tag(self._repository, name, self._deadline)
        except Missing:
            return None

    def branch(self, name: str) -> str | None:
        """The head of a branch, None where there is none."""
        try:
            return self._forge.branch(self._repository, name, self._deadline)
        except Missing:
            return None

    def times(self, shas: Sequence[str]) -> Mapping[str, datetime]:
        return self._forge.times(self._repository, shas, self._deadline)


def cut_note(found: Comparison) -> str | None:
    """Why a comparison is not whole, None where it is."""
    if found.is_complete:
        return None
    return f"the forge lists {len(found.commits)} of {'more' if found.total is None else found.total} commits"

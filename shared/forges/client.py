"""What the API clients of all forges do alike. A provider's client adds how its own API is asked: see `forge.Forge`."""

from __future__ import annotations

from abc import ABC, abstractmethod

from shared.domain.push import Commit
from shared.forges.api import Api, Dialect, check_sha
from shared.forges.forge import Comparison, ForgeAccess, Unrelated
from shared.forges.listed_comparison import compare_or_list
from shared.forges.pagination import newest_commits, nothing_between
from shared.infra.http_client import Deadline


class ForgeClient(ABC):
    """Each public function that is not described here is one of `Forge`."""

    def __init__(self, access: ForgeAccess, dialect: Dialect) -> None:
        self._api = Api(access, dialect)
        self._path = dialect.path

    @abstractmethod
    def compare_by_pages(self, repository: str, base: str, head: str, deadline: Deadline) -> Comparison | Unrelated:
        """`compare` of two different commits, as the forge itself does it."""

    @abstractmethod
    def commit_page(self, repository: str, sha: str, number: int, deadline: Deadline) -> list[Commit]: ...

    @property
    def scope(self) -> str:
        return self._api.scope

    def scope_of(self, repository: str) -> str:
        return self._api.scope_of(self._path(repository))

    @property
    def pages_added(self) -> int:
        return self._api.shelf.added

    def forget_pages(self) -> None:
        self._api.shelf.forget_all()

    def check(self, repository: str, deadline: Deadline) -> None:
        self._api.get(self._path(repository), "", (), deadline)

    def compare(self, repository: str, base: str, head: str, deadline: Deadline) -> Comparison | Unrelated:
        if base == head:
            return nothing_between(check_sha(base), is_ancestor=True)
        return compare_or_list(
            lambda: self.compare_by_pages(repository, base, head, deadline),
            lambda sha, number: self.commit_page(repository, sha, number, deadline),
            base,
            head,
        )

    def commits(self, repository: str, sha: str, limit: int, deadline: Deadline) -> tuple[Commit, ...]:
        return newest_commits(lambda number: self.commit_page(repository, sha, number, deadline), limit)

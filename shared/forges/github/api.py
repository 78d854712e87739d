"""GitHub's API as a Forge: commit ranges, tags, files. github.com and Enterprise Server (`https://HOST/api/v3`).

Facts: https://docs.github.com/en/rest/commits/commits , .../git/tags , .../git/refs , .../repos/repos#list-repository-tags
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from urllib.parse import quote

from shared.domain.push import Commit, FileChange
from shared.domain.reasons import Reason
from shared.errors import PermanentError, TransientError
from shared.forges.api import Dialect, Query, check_full_name, check_sha, check_tag_name
from shared.forges.client import ForgeClient
from shared.forges.errors import Missing, NoCommit
from shared.forges.forge import Comparison, ForgeAccess, Tag, TagDates, Unrelated
from shared.forges.github.graphql import NotAnswered, ask_dates, ask_tags, ask_times, read_dates, read_times
from shared.forges.github.graphql import read_tags as read_tags_by_prefix
from shared.forges.github.responses import (
    ComparePage,
    has_next,
    held_until,
    is_unknown_commit,
    read_commit,
    read_comparison,
    read_files,
    read_tag_object,
    read_tags,
)
from shared.forges.listed_comparison import is_not_compared
from shared.forges.pagination import (
    MAX_RANGE,
    PAGE,
    Gathering,
    gather_tags,
    kept_page,
    nothing_between,
    read_pages,
    with_prefix,
)
from shared.forges.responses import merge_changes, message, read_list, read_object, said
from shared.infra.http_client import Answer, Deadline

_FILE_PAGES = 10  # of a commit: 300 files each
_DEEPEST_TAG = 10  # a tag of a tag of ...
_GRAPHQL = "/graphql"


class GitHubForge(ForgeClient):
    """See `forge.Forge`. One compare call shows 100 commits and all that questions of ancestry need."""

    def __init__(self, access: ForgeAccess) -> None:
        self._has_token = bool(access.token)
        self._times = access.times
        headers = {"Accept": "application/vnd.github+json", "X-GitHub-Api-Version": "2022-11-28"}
        if access.token:
            headers["Authorization"] = f"Bearer {access.token}"
        super().__init__(access, Dialect(provider="github", root="", path=_path, headers=headers, held_until=held_until))

    def compare_by_pages(self, repository: str, base: str, head: str, deadline: Deadline) -> Comparison | Unrelated:
        """Pages run from the oldest commit to the newest; after the first, which has the count, they are read backwards,
        so that a bound of ours cuts off the oldest."""
        listing, shelf = ("compare", repository, base, head), self._api.shelf
        kept = shelf.find(listing, 1)
        first = self._compare(repository, base, head, PAGE, deadline) if kept is None else kept[0]
        if isinstance(first, Unrelated):
            return first
        if first.total == 0:
            return nothing_between(first.merge_base, is_ancestor=first.behind == 0)
        if kept is None:
            shelf.keep(listing, 1, first, None, items=len(first.oldest_first))
        gathering = Gathering()
        pages = -(-first.total // PAGE)
        oldest_wanted = max(2, pages - MAX_RANGE // PAGE + 1)

        def fetch(number: int) -> Answer:
            return self._ask_comparison(repository, base, head, number, PAGE, deadline)

        def following(number: int, _: Answer) -> int | None:
            return number - 1 if number > oldest_wanted else None

        if pages > 1:
            for page in read_pages(fetch, _read_page, pages, following, shelf, listing):
                gathering.add(page)
                if not gathering.is_open:
                    break
        if gathering.is_open and oldest_wanted == 2:
            gathering.add(first.newest_first)
        return gathering.comparison(
            head=head,
            total=first.total,
            is_whole=True,
            is_ancestor=first.behind == 0,
            merge_base=first.merge_base,
            base_at=first.base_at,
        )

    def is_ancestor(self, repository: str, base: str, head: str, deadline: Deadline) -> bool:
        if check_sha(base) == head:
            return True
        try:
            page = self._compare(repository, base, head, 1, deadline)
        except (TransientError, PermanentError) as problem:
            if not is_not_compared(problem):
                raise
            found = self.compare(repository, base, head, deadline)
            return isinstance(found, Comparison) and found.base_is_ancestor
        return isinstance(page, ComparePage) and page.behind == 0

    def commit_page(self, repository: str, sha: str, number: int, deadline: Deadline) -> list[Commit]:
        """https://docs.github.com/en/rest/commits/commits#list-commits"""

        def ask() -> list[Commit]:
            query = (("sha", check_sha(sha)), ("per_page", PAGE), ("page", number))
            return read_list(self._of_commit(repository, "/commits", query, sha, deadline), PAGE, read_commit)

        return kept_page(self._api.shelf, ("commits", repository, sha), number, ask)

    def tags(self, repository: str, prefix: str, deadline: Deadline) -> list[Tag]:
        """`/tags` gives commits directly, 100 a call; `git/matching-refs` would take one more call for each annotated tag, so
        that tags by prefix are asked for by GraphQL.

        https://docs.github.com/en/rest/repos/repos#list-repository-tags
        """
        if prefix and self._has_token:
            with suppress(NotAnswered):
                return self._tags_by_prefix(repository, prefix, deadline)

        def page(number: int) -> tuple[list[Tag], int | None]:
            query = (("per_page", PAGE), ("page", number))
            tags, has_more = self._api.get_kept(_path(repository), "/tags", query, deadline, read_tags)
            return tags, number + 1 if has_more else None

        return with_prefix(gather_tags(page, 1, self._api.shelf, ("tags", repository)), prefix)

    def _tags_by_prefix(self, repository: str, prefix: str, deadline: Deadline) -> list[Tag]:
        def page(cursor: str) -> tuple[list[Tag], str | None]:
            return read_tags_by_prefix(self._api.post(_GRAPHQL, ask_tags(repository, prefix, cursor or None), deadline))

        tags = list(gather_tags(page, "", self._api.shelf, ("tags", repository, prefix)))
        self._times.keep({tag.sha: tag.at for tag in tags if tag.at is not None})
        return with_prefix(tags, prefix)

    def times(self, repository: str, shas: Sequence[str], deadline: Deadline) -> Mapping[str, datetime]:
        """By GraphQL, which needs a token: the list of tags carries no times."""
        found = self._times.find(shas)
        missing = [check_sha(sha) for sha in dict.fromkeys(shas) if sha not in found]
        if not self._has_token:
            return found
        with suppress(NotAnswered):
            for start in range(0, len(missing), PAGE):
                asked = ask_times(check_full_name(repository), missing[start : start + PAGE])
                told = read_times(self._api.post(_GRAPHQL, asked, deadline))
                self._times.keep(told)
                found.update(told)
        return found

    def dates(self, repository: str, tags: Sequence[Tag], deadline: Deadline) -> Mapping[str, TagDates]:
        """By GraphQL, which needs a token: over REST each tag would cost two calls."""
        found: dict[str, TagDates] = {}
        names = [check_tag_name(tag.name) for tag in tags] if self._has_token else []
        with suppress(NotAnswered):
            for start in range(0, len(names), PAGE):
                asked = ask_dates(check_full_name(repository), names[start : start + PAGE])
                found.update(read_dates(self._api.post(_GRAPHQL, asked, deadline)))
        return found

    def tag(self, repository: str, name: str, deadline: Deadline) -> Tag:
        """The ref, then each tag object in turn: https://docs.github.com/en/rest/git/tags#get-a-tag

        Slashes stay as they are: Enterprise Servers answered 404 to %2F (https://github.com/google/go-github/issues/1432).
        """
        return Tag(name, self._follow(repository, f"/git/ref/tags/{quote(check_tag_name(name))}", name, deadline))

    def branch(self, repository: str, name: str, deadline: Deadline) -> str:
        """https://docs.github.com/en/rest/git/refs#get-a-reference"""
        return self._follow(repository, f"/git/ref/heads/{quote(check_tag_name(name))}", name, deadline)

    def peel(self, repository: str, sha: str, deadline: Deadline) -> str:
        """As a tag's object, else as a commit: a sha does not say which it is."""
        try:
            return self._follow(repository, f"/git/tags/{check_sha(sha)}", sha, deadline)
        except Missing:
            self._of_commit(repository, f"/git/commits/{sha}", (), sha, deadline)
            return sha

    def _follow(self, repository: str, path: str, name: str, deadline: Deadline) -> str:
        """The commit at the end of a row of tag objects."""
        for _ in range(_DEEPEST_TAG):
            answer = self._api.get(_path(repository), path, (), deadline, reads=(404, 409))
            if answer.status != 200:
                raise self._api.missing(_path(repository), name, deadline)
            kind, sha = read_object(answer, read_tag_object)
            if kind == "commit":
                return sha
            if kind != "tag":
                break
            path = f"/git/tags/{sha}"
        raise NoCommit(f"the tag {name[:100]} does not lead to a commit", reason=Reason.FORGE_REFUSED)

    def files(self, repository: str, sha: str, deadline: Deadline) -> tuple[FileChange, ...]:
        """300 files a page, 3,000 at most: https://docs.github.com/en/rest/commits/commits#get-a-commit"""
        found: list[FileChange] = []
        for number in range(1, _FILE_PAGES + 1):
            query = (("page", number),) if number > 1 else ()
            answer = self._of_commit(repository, f"/commits/{check_sha(sha)}", query, sha, deadline)
            found += read_object(answer, read_files)
            if not has_next(answer):
                break
        return merge_changes(found)

    def _compare(self, repository: str, base: str, head: str, size: int, deadline: Deadline) -> ComparePage | Unrelated:
        """The first page, which also says how many there are and how the two commits stand to each other."""
        answer = self._ask_comparison(repository, base, head, 1, size, deadline)
        if answer.status == 200:
            return read_object(answer, read_comparison)
        if message(answer).startswith("No common ancestor"):
            return Unrelated()
        if answer.status == 422 and not is_unknown_commit(answer):
            raise PermanentError(
                f"{self._api.host} does not compare these{said(answer)}", reason=Reason.FORGE_REFUSED, status=422
            )
        # The answer does not say which of the two it lacks. The head is the one that may still come.
        self._of_commit(repository, f"/git/commits/{head}", (), head, deadline)
        raise self._api.missing(_path(repository), base, deadline)

    def _ask_comparison(self, repository: str, base: str, head: str, number: int, size: int, deadline: Deadline) -> Answer:
        """https://docs.github.com/en/rest/commits/commits#compare-two-commits"""
        path = f"/compare/{check_sha(base)}...{check_sha(head)}"
        query = (("per_page", size), ("page", number))
        return self._api.get(_path(repository), path, query, deadline, reads=(404, 409, 422) if number == 1 else ())

    def _of_commit(self, repository: str, path: str, query: Query, sha: str, deadline: Deadline) -> Answer:
        """An answer about one commit. 404 and 422 say that there is none (yet), 409 that the repository is empty."""
        answer = self._api.get(_path(repository), path, query, deadline, reads=(404, 409, 422))
        if answer.status != 200:
            raise self._api.missing(_path(repository), sha, deadline)
        return answer


def _read_page(answer: Answer) -> list[Commit]:
    return list(read_object(answer, read_comparison).newest_first)


def _path(repository: str) -> str:
    return f"/repos/{check_full_name(repository)}"

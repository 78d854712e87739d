"""GitLab's API as a Forge: commit ranges, tags, files. gitlab.com and self-managed, with or without a path.

Facts: https://docs.gitlab.com/api/commits/ , .../api/repositories/ , .../api/tags/ ; what they leave open was read in
`lib/api/commits.rb` and `lib/api/repositories.rb` of GitLab's source.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from urllib.parse import quote

from shared.domain.push import Commit, FileChange
from shared.domain.reasons import Reason
from shared.errors import PermanentError
from shared.forges.api import Dialect, Query, check_full_name, check_sha, check_tag_name
from shared.forges.client import ForgeClient
from shared.forges.errors import Missing
from shared.forges.forge import Comparison, ForgeAccess, Tag, TagDates, Unrelated
from shared.forges.gitlab.responses import (
    has_more,
    held_until,
    read_commit,
    read_comparison,
    read_file,
    read_tag_commit,
    read_tags,
)
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

_FILE_PAGES = 100
_ANONYMOUS_CAP = 100  # of compare: https://gitlab.com/gitlab-org/gitlab/-/merge_requests/268855


class GitLabForge(ForgeClient):
    """See `forge.Forge`. A range is one call for the merge base, then a call for each 100 commits."""

    def __init__(self, access: ForgeAccess) -> None:
        self._is_anonymous = not access.token
        self._bases: dict[tuple[str, str, str], str | None] = {}  # a range is first related, then compared
        headers = {"PRIVATE-TOKEN": access.token} if access.token else {}
        super().__init__(access, Dialect(provider="gitlab", root="/api/v4", path=_path, headers=headers, held_until=held_until))

    def compare_by_pages(self, repository: str, base: str, head: str, deadline: Deadline) -> Comparison | Unrelated:
        """By pages of `commits?ref_name=base..head`. `compare` is the second choice: it is not paginated, carries every diff,
        may time out, and may show 100 commits to a caller without a token; it serves servers that refuse the range."""
        merge_base = self._merge_base(repository, base, head, deadline)
        if merge_base is None:
            return Unrelated()
        if merge_base == head:
            return nothing_between(merge_base, is_ancestor=False)
        gathering = self._gather(repository, f"{check_sha(base)}..{check_sha(head)}", deadline)
        is_whole = True
        if gathering is None:
            gathering, is_whole = self._compare(repository, base, head, deadline)
        return gathering.comparison(
            head=head, total=None, is_whole=is_whole, is_ancestor=merge_base == base, merge_base=merge_base
        )

    def is_ancestor(self, repository: str, base: str, head: str, deadline: Deadline) -> bool:
        return self._merge_base(repository, base, head, deadline) == base

    def _merge_base(self, repository: str, a: str, b: str, deadline: Deadline) -> str | None:
        """400 names the shas it lacks, 404 says that there is no base: https://docs.gitlab.com/api/repositories/#merge-base"""
        if a == b:
            return check_sha(a)
        asked = (repository, a, b)
        if asked not in self._bases:
            self._bases[asked] = self._ask_merge_base(repository, a, b, deadline)
        return self._bases[asked]

    def _ask_merge_base(self, repository: str, a: str, b: str, deadline: Deadline) -> str | None:
        query = (("refs[]", check_sha(a)), ("refs[]", check_sha(b)))
        answer = self._api.get(_path(repository), "/repository/merge_base", query, deadline, reads=(400, 404))
        if answer.status == 200:
            return read_object(answer, lambda fields: fields.sha("id"))
        text = message(answer)
        if answer.status == 404 and "merge base" in text.lower():
            return None
        if answer.status == 404:
            raise self._api.missing(_path(repository), b, deadline)
        for sha in (b, a):  # the second is the head, which may still come
            if sha in text:
                raise Missing(f"{self._api.host} has no {sha} (yet)", name=sha, status=400)
        raise PermanentError(f"{self._api.host} finds no merge base{said(answer)}", reason=Reason.FORGE_REFUSED, status=400)

    def commit_page(self, repository: str, sha: str, number: int, deadline: Deadline) -> list[Commit]:
        """https://docs.gitlab.com/api/commits/#list-repository-commits ; an unknown sha gives an empty list."""

        def ask() -> list[Commit]:
            answer = self._api.get(_path(repository), *_listing(check_sha(sha), PAGE, number), deadline, reads=(404,))
            page = [] if answer.status == 404 else read_list(answer, PAGE, read_commit)
            if not page and number == 1:
                raise self._api.missing(_path(repository), sha, deadline)
            return page

        return kept_page(self._api.shelf, ("commits", repository, sha), number, ask)

    def tags(self, repository: str, prefix: str, deadline: Deadline) -> list[Tag]:
        """By name, so that the pages hold still; the search only saves pages: https://docs.gitlab.com/api/tags/"""
        search = (("search", f"^{prefix}"),) if prefix and not prefix.endswith("$") else ()

        def page(number: int) -> tuple[list[Tag], int | None]:
            query = (*search, ("order_by", "name"), ("sort", "asc"), ("per_page", PAGE), ("page", number))
            tags, more = self._api.get_kept(_path(repository), "/repository/tags", query, deadline, read_tags)
            return tags, number + 1 if more else None

        return with_prefix(gather_tags(page, 1, self._api.shelf, ("tags", repository, prefix)), prefix)

    def times(self, repository: str, shas: Sequence[str], deadline: Deadline) -> Mapping[str, datetime]:
        """None: the list of tags carries them."""
        return {}

    def dates(self, repository: str, tags: Sequence[Tag], deadline: Deadline) -> Mapping[str, TagDates]:
        """The list of tags has them: of annotated tags from GitLab 16.11 on, of commits always."""
        return {tag.name: TagDates(tag.at, tag.tagged_at or tag.at) for tag in tags if tag.at is not None}

    def tag(self, repository: str, name: str, deadline: Deadline) -> Tag:
        """`target` is the tag object of an annotated tag, `commit` what it leads to."""
        path = f"/repository/tags/{quote(check_tag_name(name), safe='')}"
        answer = self._api.get(_path(repository), path, (), deadline, reads=(404,))
        if answer.status != 200:
            raise self._api.missing(_path(repository), name, deadline)
        sha = read_object(answer, read_tag_commit)
        if sha is None:
            raise PermanentError(f"the tag {name[:100]} does not lead to a commit", reason=Reason.FORGE_REFUSED)
        return Tag(name, sha)

    def branch(self, repository: str, name: str, deadline: Deadline) -> str:
        """https://docs.gitlab.com/api/branches/#get-single-repository-branch"""
        path = f"/repository/branches/{quote(check_tag_name(name), safe='')}"
        answer = self._api.get(_path(repository), path, (), deadline, reads=(404,))
        if answer.status != 200:
            raise self._api.missing(_path(repository), name, deadline)
        return read_object(answer, lambda fields: fields.object("commit").sha("id"))

    def peel(self, repository: str, sha: str, deadline: Deadline) -> str:
        return self.commits(repository, sha, 1, deadline)[0].id

    def files(self, repository: str, sha: str, deadline: Deadline) -> tuple[FileChange, ...]:
        """As far as the server's own diff limits let it list: https://docs.gitlab.com/api/commits/#get-commit-diff"""
        found: list[FileChange] = []
        for number in range(1, _FILE_PAGES + 1):
            query = (("per_page", PAGE), ("page", number))
            path = f"/repository/commits/{check_sha(sha)}/diff"
            answer = self._api.get(_path(repository), path, query, deadline, reads=(404,))
            if answer.status != 200:
                raise self._api.missing(_path(repository), sha, deadline)
            page = read_list(answer, PAGE, read_file)
            found += (change for changes in page for change in changes)
            if not has_more(answer, len(page)):
                break
        return merge_changes(found)

    def _gather(self, repository: str, span: str, deadline: Deadline) -> Gathering | None:
        """The range, page by page; None when this server takes no range (400), or does not begin it with its head."""
        gathering = Gathering()

        def fetch(number: int) -> Answer:
            reads = (400, 404) if number == 1 else ()
            return self._api.get(_path(repository), *_listing(span, PAGE, number), deadline, reads=reads)

        def following(number: int, answer: Answer) -> int | None:
            return number + 1 if answer.status == 200 and has_more(answer, PAGE) and number * PAGE <= MAX_RANGE else None

        for page in read_pages(fetch, _read_page, 1, following, self._api.shelf, ("range", repository, span)):
            if not len(gathering) and not (page and span.endswith(page[0].id)):
                return None
            if page:
                gathering.add(page)
            if not gathering.is_open or not page:
                break
        return gathering

    def _compare(self, repository: str, base: str, head: str, deadline: Deadline) -> tuple[Gathering, bool]:
        """`commits` is base..head, oldest first, whatever `straight` says. Whether that is all is the second value."""
        query = (("from", base), ("to", head))
        answer = self._api.get(_path(repository), "/repository/compare", query, deadline, reads=(404,))
        if answer.status != 200:
            raise self._api.missing(_path(repository), head, deadline)
        commits, is_whole = read_object(answer, read_comparison)
        gathering = Gathering()
        gathering.add(reversed(commits))
        return gathering, is_whole and not (self._is_anonymous and len(commits) == _ANONYMOUS_CAP)


def _read_page(answer: Answer) -> list[Commit]:
    return read_list(answer, PAGE, read_commit) if answer.status == 200 else []


def _path(repository: str) -> str:
    return f"/projects/{quote(check_full_name(repository), safe='')}"


def _listing(span: str, size: int, number: int) -> tuple[str, Query]:
    return "/repository/commits", (("ref_name", span), ("per_page", size), ("page", number))

"""What a forge (GitHub's or GitLab's API) is asked and what it answers, as values. Knows no provider and makes no call.

Answers are values. What went wrong is an exception (`errors.py`), each with one reaction (docs/forges.md has the table):

    Missing         the sha or ref is not there (yet): passing right after the push, final two minutes later
    RateLimited     no call with this token before `until`
    TransientError  (any other) try again later
    PermanentError  a person must act: token, permissions, repository name
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, NamedTuple, Protocol

from shared.domain.push import Commit, FileChange
from shared.forges.call_gate import Turns
from shared.forges.commit_times import CommitTimes
from shared.forges.etag_cache import PageCache
from shared.forges.kept_pages import KeptPages

if TYPE_CHECKING:
    import httpx2

    from shared.infra.http_client import Deadline


@dataclass(frozen=True, slots=True)
class Tag:
    """`name` without `refs/tags/`. `sha` is the commit: annotated tags are peeled, also tags of tags. `at` is the commit's
    time, `tagged_at` the tagger's date of an annotated tag, where the forge's list has them."""

    name: str
    sha: str
    at: datetime | None = field(default=None, compare=False)
    tagged_at: datetime | None = field(default=None, compare=False)


class TagDates(NamedTuple):
    """The time of a tag's commit, and the tagger's date: that time, where the tag is not annotated."""

    committed_at: datetime
    tagged_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """Exactly `git rev-list base..head`, newest first (the head is `commits[0]`), when `is_complete`.

    Otherwise `commits` are the newest part of it, as many as the forge or our own bounds let through; `total` is the
    whole number when the forge says so. `files` of the commits are None: a range carries none; `parents` are known.
    `base_at` is the time of the base's commit, where the forge says so.
    """

    commits: tuple[Commit, ...]
    total: int | None
    is_complete: bool
    base_is_ancestor: bool
    merge_base: str
    base_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Unrelated:
    """The two commits share no history, so there is no range between them: treat the head as a first release."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ForgeAccess:
    """How to reach a forge. One per process and provider: `pages` then saves quota from job to job, `turns` keeps order,
    `listings` let an attempt continue where the one before ran out of time.

    `base_url` is GITHUB_API_URL or GITLAB_URL: with or without a path, never with a slash at the end.
    """

    client: httpx2.Client
    base_url: str
    token: str | None = field(default=None, repr=False)
    pages: PageCache = field(default_factory=PageCache, repr=False)
    times: CommitTimes = field(default_factory=CommitTimes, repr=False)
    turns: Turns = field(default_factory=Turns, repr=False)
    listings: KeptPages = field(default_factory=KeptPages, repr=False)


class Forge(Protocol):
    """One forge, asked on behalf of one job. `repository` is a full name, `owner/name`; shas are checked before use.

    Every function raises RateLimited, TransientError and PermanentError; those that name a sha or a tag raise Missing.
    A repository, sha or tag name that could not stand in an address is a ValueError: what was read from a push is checked
    already, what a person typed may not be.
    """

    @property
    def scope(self) -> str:
        """What a rate limit or a refusal holds: provider, host and token, such as `github:api.github.com:none`."""

    def scope_of(self, repository: str) -> str:
        """What a refusal to read this one repository holds."""

    @property
    def pages_added(self) -> int:
        """How many pages of long listings this object has read and kept for the next attempt."""

    def forget_pages(self) -> None:
        """Drop the pages that this object has kept: what it was asked is answered."""

    def check(self, repository: str, deadline: Deadline) -> None:
        """One cheap call: raises what it raises where this repository cannot be read."""

    def compare(self, repository: str, base: str, head: str, deadline: Deadline) -> Comparison | Unrelated:
        """The commits that `head` has and `base` has not."""

    def is_ancestor(self, repository: str, base: str, head: str, deadline: Deadline) -> bool:
        """Whether `base` is `head` or reachable from it, in one call, without the commits."""

    def commit_page(self, repository: str, sha: str, number: int, deadline: Deadline) -> list[Commit]:
        """The commits reachable from `sha`, by time, newest first: 100 a page. `number` counts from 1."""

    def commits(self, repository: str, sha: str, limit: int, deadline: Deadline) -> tuple[Commit, ...]:
        """The newest `limit` commits reachable from `sha`, newest first, `sha` itself at the top."""

    def tags(self, repository: str, prefix: str, deadline: Deadline) -> list[Tag]:
        """Every tag whose name begins with `prefix`, whatever the case ("" = every tag), in no useful order."""

    def times(self, repository: str, shas: Sequence[str], deadline: Deadline) -> Mapping[str, datetime]:
        """{sha: the commit's time} of those that the forge tells a hundred at a time; a forge may tell none."""

    def dates(self, repository: str, tags: Sequence[Tag], deadline: Deadline) -> Mapping[str, TagDates]:
        """{name: when the tag was made} of those that the forge tells a hundred at a time, or has told."""

    def tag(self, repository: str, name: str, deadline: Deadline) -> Tag:
        """The tag of exactly this name."""

    def branch(self, repository: str, name: str, deadline: Deadline) -> str:
        """The commit that a branch stands at."""

    def peel(self, repository: str, sha: str, deadline: Deadline) -> str:
        """The commit that a tag's object leads to; a commit leads to itself."""

    def files(self, repository: str, sha: str, deadline: Deadline) -> tuple[FileChange, ...]:
        """What the commit changed against its first parent; a rename is D of the old path and A of the new one."""

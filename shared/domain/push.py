"""The values a webhook is read into. Pure: every provider's words become these, once, at the door."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, NamedTuple

ChangeType = Literal["A", "M", "D"]

_TAG, _BRANCH = "refs/tags/", "refs/heads/"
# git-check-ref-format(1): what git itself forbids in a ref name.
_FORBIDDEN_IN_REF = re.compile(r"[\x00-\x20\x7f~^:?*\[\\]|\.\.|@\{|//|/\.|\.lock(?:/|$)|[./]$")


@dataclass(frozen=True, slots=True)
class Ref:
    """A full ref name such as `refs/tags/v1.2`."""

    full: str

    @property
    def kind(self) -> Literal["branch", "tag", "other"]:
        if self.full.startswith(_TAG):
            return "tag"
        return "branch" if self.full.startswith(_BRANCH) else "other"

    @property
    def name(self) -> str:
        """The short name: `v1.2` of `refs/tags/v1.2`."""
        for prefix in (_TAG, _BRANCH):
            if self.full.startswith(prefix):
                return self.full[len(prefix) :]
        return self.full


def is_valid_ref(name: str) -> bool:
    """True for a full ref name that git allows."""
    return name.startswith("refs/") and len(name) > len("refs/") and _FORBIDDEN_IN_REF.search(name) is None


def is_zero(sha: str) -> bool:
    """All zeros (40 or 64 of them) stand for "no commit": a ref that is created or deleted."""
    return not sha.strip("0")


@dataclass(frozen=True, slots=True)
class Repository:
    """`full_name` is `owner/name` (GitLab: any depth) as the provider spells it; `id` is the provider's number for it, which
    stays when it is renamed or moves.

    `row_key` and `known_as` are set once the ledger was asked (`shared/ledger/identities.py`): what its rows refer to, and its
    newest name, which differs from `full_name` where that one is older than a rename.
    """

    provider: str
    full_name: str
    default_branch: str | None = None
    id: int | None = None
    row_key: str | None = None
    known_as: str | None = None

    @property
    def key(self) -> str:
        """How rules and operators name it: `github:acme/web`."""
        return f"{self.provider}:{self.full_name}"

    @property
    def log_key(self) -> str:
        """What the rows of its commit log and contributions refer to."""
        return self.row_key or self.key

    @property
    def forge_name(self) -> str:
        """What its forge calls it now."""
        return self.known_as or self.full_name


# Two that are made by the ten thousand: as tuples they cost a third of what frozen dataclasses do.


class FileChange(NamedTuple):
    path: str
    type: ChangeType


class Commit(NamedTuple):
    """`files` is None when the source did not say, which is not the same as "no file changed". So is `parents`: payloads
    carry none."""

    id: str
    message: str
    author_name: str | None = None
    author_email: str | None = None
    timestamp: datetime | None = None
    files: tuple[FileChange, ...] | None = None
    parents: tuple[str, ...] | None = None


def is_listed(commit: Commit) -> bool:
    """Whether a release lists it: Sentry leaves out what carries this mark (its `RepositoryProvider.should_ignore_commit`)."""
    return "#skipsentry" not in commit.message


@dataclass(frozen=True, slots=True, kw_only=True)
class Push:
    """One ref that moved. `sha` is the commit the ref now points at: never the id of an annotated tag's object.

    `commits` are oldest first, as far as the payload lists them; `commits_total` is how many there were, when the
    provider says so. `sha` is None when the ref was deleted or does not point at a commit. Where the payload of a tag does not
    say which commit it leads to, `is_peeled` is False and `sha` may be that of the tag's object: the forge has to be asked.
    `pushed_at` is when the provider says that it happened; GitLab does not.
    """

    repository: Repository
    ref: Ref
    before: str
    after: str
    sha: str | None
    commits: tuple[Commit, ...] = ()
    commits_total: int | None = None
    head_commit: Commit | None = None
    is_forced: bool | None = None
    is_peeled: bool = True
    pushed_at: datetime | None = None

    @property
    def is_deleted(self) -> bool:
        return is_zero(self.after)

    @property
    def is_created(self) -> bool:
        return is_zero(self.before)


def tag_push(repository: Repository, tag: str, sha: str) -> Push:
    """The push that created this tag on this commit, for a tag whose webhook never came or has expired."""
    return Push(repository=repository, ref=Ref(f"{_TAG}{tag}"), before="0" * len(sha), after=sha, sha=sha)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ignored:
    """An authentic delivery with nothing in it for us. `reason` is a stable code, `detail` one sentence."""

    reason: str
    detail: str
    repository: Repository | None = None
    ref: Ref | None = None

"""The commit range of a release and the pushes that the log knows, as values; what a payload alone says of a range."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from shared.domain.push import Commit, Push, is_listed


@dataclass(frozen=True, slots=True, kw_only=True)
class Range:
    """Which commits the release lists and how sure we are (contract section 4, `range`)."""

    source: str  # log, api, payload, none
    base: str | None
    head: str
    commits: tuple[Commit, ...]  # newest first
    partial: str | None
    is_proven: bool
    pushes: int = 1  # whose lists make it up
    bases: tuple[str, ...] = ()  # all commits it counts from, the nearest first
    base_tag: str | None = None  # the release on the nearest
    how: str | None = None  # which rule found the base: docs/decisions/0008
    tags: str | None = None  # where the list of tags came from: announced, forge; None where none was needed

    @property
    def is_whole(self) -> bool:
        """Everything since the base and nothing else. Several lists may hold what one of them took back, unless proven."""
        return self.base is not None and self.partial is None and (self.is_proven or self.pushes == 1)

    def as_json(self) -> dict[str, Any]:
        return {
            "source": self.source,
            "base": self.base,
            "head": self.head,
            "commits": sum(map(is_listed, self.commits)),
            "with_files": sum(commit.files is not None and is_listed(commit) for commit in self.commits),
            "partial": self.partial,
            "proven": self.is_proven and self.tags != "announced",  # a forge has tags that no webhook announced
            "bases": list(self.bases or ([self.base] if self.base else [])),
            "base_tag": self.base_tag,
            "how": self.how,
            "tags": self.tags,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class LoggedPush:
    """One ref that moved. `commit_ids` as listed, oldest first; `is_forced` is None where the provider does not say."""

    seq: int
    ref: str
    before: str
    sha: str | None
    commit_ids: tuple[str, ...]
    total: int | None
    is_forced: bool | None

    @property
    def is_whole(self) -> bool:
        """Whether the list holds every commit of before..sha: nothing cut, and the head among them."""
        return self.total == len(self.commit_ids) and (self.sha in self.commit_ids or self.sha == self.before)


def with_files(found: Range, known: Mapping[str, Commit]) -> Range:
    """The same range with the file lists that are known; a forge's comparison carries none."""
    return replace(
        found,
        commits=tuple(
            commit._replace(files=known[commit.id].files) if commit.files is None and commit.id in known else commit
            for commit in found.commits
        ),
    )


def payload_range(push: Push) -> Range:
    """The commits that the payload itself lists. A tag push never carries its range: at most the tagged commit."""
    assert push.sha is not None  # noqa: S101
    listed = {commit.id: commit for commit in push.commits}
    if push.head_commit is not None and push.head_commit.id == push.sha:
        listed.setdefault(push.sha, push.head_commit)
    newest_first = list(listed.values())[::-1]
    newest_first.sort(key=lambda commit: commit.id != push.sha)  # the head leads, whatever order the payload has
    is_whole = push.ref.kind == "branch" and not push.is_created and push.commits_total == len(push.commits)
    return Range(
        source="payload" if listed else "none",
        base=None if push.is_created or push.ref.kind == "tag" else push.before,
        head=push.sha,
        commits=tuple(newest_first),
        partial=None if is_whole else _why_partial(push, len(listed)),
        is_proven=is_whole and push.is_forced is False,
        how="push" if push.ref.kind == "branch" and not push.is_created else None,
    )


def _why_partial(push: Push, listed: int) -> str:
    if push.ref.kind == "tag":
        return f"a tag push carries no commit range; {listed} of its commits known"
    if push.is_created:
        return "the branch is new: the payload does not say where it left the others"
    total = "more" if push.commits_total is None else str(push.commits_total)
    return f"the payload lists {listed} of {total} commits"

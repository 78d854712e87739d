"""What becomes of a release's list when its commits were collected again. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from shared.domain.commit_range import Range, with_files
from shared.domain.push import Commit


@dataclass(frozen=True, slots=True)
class Recollected:
    """`is_listed`: the release has this very list, so that there is nothing to send. `changes`: {"added", "removed"}, None
    where the earlier list is not known any more."""

    range: Range
    is_listed: bool
    changes: Mapping[str, int] | None


@dataclass(frozen=True, slots=True)
class Keep:
    """The release keeps the list that it has."""

    why: str


def judge_again(before: Mapping[str, Any], kept: Sequence[Commit] | None, found: Range) -> Recollected | Keep:
    """`before`: the range of the list that the release has (contract section 4), `kept`: its commits, newest first.

    A recollect repairs: what is known to be whole or proven is never replaced by what is not.
    """
    ids = {commit.id for commit in found.commits}
    if found.partial and (not before["partial"] or any(commit.id not in ids for commit in kept or ())):
        return Keep(f"only a part of the commits was found again, so the release keeps its list: {found.partial}")
    if kept is None:
        return Recollected(found, is_listed=False, changes=None)
    found = with_files(found, {commit.id: commit for commit in kept})
    is_same = [commit._replace(parents=None) for commit in found.commits] == list(kept)
    if not is_same and before["proven"] and not found.as_json()["proven"]:
        return Keep("the release's list is proven and what was found now is another one that is not, so it keeps its list")
    earlier = {commit.id for commit in kept}
    changes = {"added": len(ids - earlier), "removed": len(earlier - ids)}
    # A list that was called partial may be so at the target: it may have been cut when it was sent.
    return Recollected(found, is_same and bool(found.partial or not before["partial"]), changes)

"""What becomes of a list that was collected again: sent, known already, or kept as it was."""

from __future__ import annotations

from typing import Any

import pytest

from shared.domain.commit_range import Range
from shared.domain.push import Commit, FileChange
from shared.domain.recollected_list import Keep, Recollected, judge_again

WHOLE = {"partial": None, "proven": False}
PROVEN = {"partial": None, "proven": True}
PART = {"partial": "the forge was away", "proven": False}


def commits(ids: str, files: tuple[FileChange, ...] | None = None) -> tuple[Commit, ...]:
    return tuple(Commit(id=one, message=one, files=files) for one in ids)


def found(ids: str, partial: str | None = None, *, is_proven: bool = True, tags: str = "forge") -> Range:
    listed = tuple(commit._replace(parents=("x",)) for commit in commits(ids))
    return Range(source="api", base="b", head="h", commits=listed, partial=partial, is_proven=is_proven, tags=tags)


@pytest.mark.parametrize(
    ("before", "kept", "now", "expected"),
    [
        (WHOLE, "abc", found("abc"), (True, {"added": 0, "removed": 0})),
        (WHOLE, "abc", found("ab"), (False, {"added": 0, "removed": 1})),
        (PROVEN, "ab", found("cab"), (False, {"added": 1, "removed": 0})),
        (WHOLE, "ab", found("ba"), (False, {"added": 0, "removed": 0})),
        (PROVEN, "abc", found("abc", is_proven=False), (True, {"added": 0, "removed": 0})),
        (PART, "a", found("abc"), (False, {"added": 2, "removed": 0})),
        (PART, "abc", found("abc"), (False, {"added": 0, "removed": 0})),
        (PART, "abc", found("abc", "cut"), (True, {"added": 0, "removed": 0})),
        (PART, "ab", found("abc", "cut"), (False, {"added": 1, "removed": 0})),
        (WHOLE, None, found("abc"), (False, None)),
    ],
)
def test_a_list_that_differs_is_sent(before: dict[str, Any], kept: str | None, now: Range, expected: Any) -> None:
    again = judge_again(before, None if kept is None else commits(kept), now)
    assert isinstance(again, Recollected)
    assert (again.is_listed, again.changes) == expected


@pytest.mark.parametrize(
    ("before", "kept", "now", "why"),
    [
        (WHOLE, "abc", found("abc", "cut"), "only a part"),
        (WHOLE, None, found("abc", "cut"), "only a part"),
        (PART, "abc", found("ab", "cut"), "only a part"),
        (PROVEN, "abc", found("ab", is_proven=False), "is proven"),
        (PROVEN, "abc", found("ab", tags="announced"), "is proven"),
    ],
)
def test_what_is_whole_or_proven_is_not_replaced_by_less(
    before: dict[str, Any], kept: str | None, now: Range, why: str
) -> None:
    again = judge_again(before, None if kept is None else commits(kept), now)
    assert isinstance(again, Keep)
    assert why in again.why


def test_files_that_were_known_are_not_lost() -> None:
    again = judge_again(WHOLE, commits("ab", (FileChange("x", "M"),)), found("abc"))
    assert isinstance(again, Recollected)
    assert [commit.files for commit in again.range.commits] == [(FileChange("x", "M"),)] * 2 + [None]

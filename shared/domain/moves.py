"""Tells a ref that comes back to a commit from a push that a second hook of the repository announces too. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple


class Announced(NamedTuple):
    """Where a push says that its ref stands; `sha` None: deleted. `pushed_at` None where the provider does not say it."""

    sha: str | None
    pushed_at: datetime | None


def newest(pushes: Sequence[Announced]) -> Announced | None:
    """Which of the pushes of one ref, in the order of their arrival, says where it stands: the last, but none that was made
    before an earlier one. A captured push that is sent again, long after, moves nothing back."""
    found: Announced | None = None
    for push in pushes:
        if found is None or not is_older(push, found):
            found = push
    return found


def is_older(push: Announced, than: Announced) -> bool:
    """Whether it is known to have been made before the other one."""
    return push.pushed_at is not None and than.pushed_at is not None and push.pushed_at < than.pushed_at


class Move(NamedTuple):
    """A ref that moved, as one delivery says it. `hook`: which of the repository's hooks sent it, None if not named."""

    before: str
    after: str
    hook: str | None = None


def is_new_move(this: Move, earlier: Sequence[Move]) -> bool:
    """Whether the ref has moved once more. `earlier`: what deliveries said of the same ref before, newest first.

    Each hook announces each move once: a move that this hook has announced less often than another one is known already.
    Without the hooks' names, the same move twice in a row is one.
    """
    same = [move for move in earlier if move[:2] == this[:2]]
    if not same:
        return True
    if this.hook is None or any(move.hook is None for move in same):
        return earlier[0] is not same[0]
    announced = Counter(move.hook for move in same)
    return announced[this.hook] == max(announced.values())

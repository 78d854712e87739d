"""Tells a ref that comes back to a commit from a push that a second hook of the repository announces too. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple


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

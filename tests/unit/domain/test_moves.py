"""A ref that moves the same way once more, and the same push announced by a second hook."""

from __future__ import annotations

import pytest

from shared.domain.moves import Move, is_new_move

THERE, BACK, ELSEWHERE = ("1", "2"), ("2", "1"), ("2", "3")


def announced(*moves: str) -> list[Move]:
    """Each move as a letter (t: there, b: back, e: elsewhere) and the hook that told of it, oldest first."""
    known = {"t": THERE, "b": BACK, "e": ELSEWHERE}
    return [Move(*known[move[0]], move[1:] or None) for move in moves]


@pytest.mark.parametrize(
    ("moves", "is_new"),
    [
        ("b", True),
        ("t b", True),
        ("t t", False),
        ("t b t", True),
        ("t b b", False),
        ("t e t", True),
        ("tA tB", False),
        ("tA bA", True),
        ("tA bA tA", True),
        ("tA bA tA bA", True),
        ("tA tB bA bB", False),
        ("tA tB bA bB tA", True),
        ("tA tB bA bB tA tB", False),
        ("tA bA tA bA tB", False),  # the second hook is late with both
        ("tA bA tA bA tB bB", False),
        ("tA bA tA bA tB bB tB", False),
        ("tA t", False),
        ("t tA", False),
        ("t b tA", True),
    ],
)
def test_a_move_is_new_if_no_other_hook_announced_it(moves: str, is_new: bool) -> None:
    *earlier, this = announced(*moves.split())
    assert is_new_move(this, earlier[::-1]) is is_new

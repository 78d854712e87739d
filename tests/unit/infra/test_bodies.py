"""What has arrived of a body, whatever its pieces are."""

from __future__ import annotations

import pytest

from shared.infra import bodies
from shared.infra.bodies import Arrived


@pytest.fixture(autouse=True)
def small_maps(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bodies, "_HEAP", 10)
    monkeypatch.setattr(bodies, "_MAP", 4096)


@pytest.mark.parametrize("sizes", [(3,), (10,), (11,), (5, 6), (4096,), (4096, 1), (4090, 12, 9000), (1,) * 30, (20_000,)])
def test_a_body_is_what_came_in_whatever_pieces(sizes: tuple[int, ...]) -> None:
    arrived = Arrived(None, None)
    pieces = [bytes([65 + number % 26]) * size for number, size in enumerate(sizes)]
    for piece in pieces:
        arrived.add(piece)
    assert arrived.held == arrived.size == sum(sizes)
    assert arrived.finish() == b"".join(pieces)
    assert arrived.finish() == b""  # nothing is kept


def test_what_went_into_maps_first_reaches_the_file_whole(tmp_path: object) -> None:
    arrived = Arrived(50, str(tmp_path))
    for number in range(10):
        arrived.add(bytes([65 + number]) * 9)
    file = arrived.finish()
    assert not isinstance(file, bytes)
    assert file.read() == b"".join(bytes([65 + number]) * 9 for number in range(10))
    arrived.close()
    assert arrived.held == 0

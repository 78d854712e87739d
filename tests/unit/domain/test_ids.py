"""Ids: their form, that they sort by time, that they do not repeat."""

from __future__ import annotations

import uuid
from datetime import timedelta

from shared.domain.ids import first_id, new_id
from tests.builders import NOW


def test_an_id_is_a_uuid_of_version_7_in_32_digits() -> None:
    made = new_id(NOW)
    assert len(made) == 32
    assert made == made.lower()
    assert (uuid.UUID(made).version, uuid.UUID(made).variant) == (7, uuid.RFC_4122)


def test_an_id_carries_its_millisecond() -> None:
    assert int(new_id(NOW)[:12], 16) == int(NOW.timestamp() * 1000)


def test_ids_of_later_milliseconds_sort_later_as_text() -> None:
    made = [new_id(NOW + timedelta(milliseconds=step)) for step in (0, 1, 2, 999, 60_000, 10**9)]
    assert made == sorted(made)


def test_ids_of_one_millisecond_do_not_repeat() -> None:
    assert len({new_id(NOW) for _ in range(10_000)}) == 10_000


def test_the_first_id_of_a_moment_parts_what_was_made_before_from_what_is_made_later() -> None:
    just_before = new_id(NOW - timedelta(milliseconds=1))
    assert just_before < first_id(NOW) <= new_id(NOW) < first_id(NOW + timedelta(milliseconds=1))

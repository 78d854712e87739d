"""A part of one index, written so that a database can do nothing but walk it. Pure: makes conditions, asks nobody.

`WHERE status = 'queued' ORDER BY id LIMIT 1` looks like a step of the index over (status, id), but PostgreSQL, which thinks
queued jobs to be spread evenly, may walk all ids instead until it meets one: where the newest wait behind a million
that are done, it reads the million. Compared as pairs, in the order of pairs, only the index over both will do. SQLite
takes the right index for the plain form, and for pairs that end in a row number it would use the first half alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

# Sorts behind every key: hexadecimal digits in any collation, numbers in any order.
_HIGHEST: dict[type, Any] = {str: "z" * 32, int: 2**62}
_LOWEST: dict[type, Any] = {str: "", int: 0}


@dataclass(frozen=True, slots=True)
class Range:
    """Rows of one value of the `driver`'s column (all rows without one), their keys from `low` on and below `high`.

    `where`: the condition of a partial index over the key alone.
    """

    dialect: str
    key: sa.Column[Any]
    driver: tuple[sa.Column[Any], Any] | None = None
    low: Any = None
    high: Any = None
    where: sa.ColumnElement[bool] | None = None

    def conditions(self) -> list[sa.ColumnElement[bool]]:
        if self._in_pairs:
            return self._pairs()
        found = [] if self.driver is None else [self.driver[0] == self.driver[1]]
        found += [self.where] if self.where is not None else []
        found += [self.key >= self.low] if self.low is not None else []
        return found + ([self.key < self.high] if self.high is not None else [])

    def newest_first(self) -> list[sa.ColumnElement[Any]]:
        return [column.desc() for column in self._order()]

    def oldest_first(self) -> list[sa.ColumnElement[Any]]:
        return [column.asc() for column in self._order()]

    @property
    def _in_pairs(self) -> bool:
        return self.driver is not None and self.dialect == "postgresql"

    def _pairs(self) -> list[sa.ColumnElement[bool]]:
        assert self.driver is not None  # noqa: S101
        column, value = self.driver
        kind = self.key.type.python_type
        low = _LOWEST[kind] if self.low is None else self.low
        high = _HIGHEST[kind] if self.high is None else self.high
        pair, wanted = sa.tuple_(column, self.key), sa.literal(value, column.type)
        return [
            pair >= sa.tuple_(wanted, sa.literal(low, self.key.type)),
            pair < sa.tuple_(wanted, sa.literal(high, self.key.type)),
            *([column.is_not(None)] if column.nullable else []),  # as its partial index has it
        ]

    def _order(self) -> list[sa.Column[Any]]:
        return [self.driver[0], self.key] if self.driver is not None and self._in_pairs else [self.key]

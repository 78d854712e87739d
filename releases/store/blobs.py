"""Contents and uploaded chunks in the database: a row is written when its file is complete, and goes before its file does."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from datetime import datetime
from typing import Any, Protocol

import sqlalchemy as sa
from sqlalchemy.engine import Connection, RowMapping

from releases.errors import busy
from releases.tables.artifacts import artifacts, blobs, chunks
from releases.tables.upsert import add_new, ignoring

_CHUNK = 500  # names in one IN (...)
_TRIES = 3


class Stored(Protocol):
    """A content that lies on disk, complete."""

    @property
    def sha1(self) -> str: ...
    @property
    def sha256(self) -> str: ...
    @property
    def size(self) -> int: ...
    @property
    def place(self) -> str: ...


def used(connection: Connection) -> int:
    """Bytes on disk."""
    return int(connection.execute(sa.select(sa.func.coalesce(sa.func.sum(blobs.c.size), 0))).scalar_one())


def ensure_blob(connection: Connection, content: Stored, now: datetime) -> tuple[int, bool]:
    """(id, whether this very file is kept): a content that is there already keeps the file it has. Raises Refused (503)."""
    values = {name: getattr(content, name) for name in ("sha256", "sha1", "size", "place")} | {"date_added": now}
    statement = ignoring(connection.dialect.name, blobs, (blobs.c.id,))
    known = sa.select(blobs.c.id).where(blobs.c.sha256 == content.sha256).with_for_update(read=True, key_share=True)
    for _ in range(_TRIES):  # the sweep may take away one that nobody used
        if (made := connection.execute(statement, values).scalar_one_or_none()) is not None:
            return made, True
        if (found := connection.execute(known).scalar_one_or_none()) is not None:
            return found, False
    raise busy()


def own_chunk(connection: Connection, organization_id: int, sha1: str, blob_id: int, now: datetime) -> None:
    mine = sa.and_(chunks.c.organization_id == organization_id, chunks.c.sha1 == sha1)
    connection.execute(sa.delete(chunks).where(mine))
    add_new(connection, chunks, [{"organization_id": organization_id, "sha1": sha1, "blob_id": blob_id, "date_added": now}])


def find_chunks(connection: Connection, organization_id: int, sha1s: Collection[str]) -> dict[str, RowMapping]:
    """`place` and `size` of those that the organization has uploaded."""
    found: dict[str, RowMapping] = {}
    for some in portions(sorted(set(sha1s))):
        query = sa.select(chunks.c.sha1, blobs.c.place, blobs.c.size).join(blobs, blobs.c.id == chunks.c.blob_id)
        query = query.where(chunks.c.organization_id == organization_id, chunks.c.sha1.in_(some))
        found |= {row["sha1"]: row for row in connection.execute(query).mappings()}
    return found


def forget_chunks(connection: Connection, before: datetime) -> None:
    connection.execute(sa.delete(chunks).where(chunks.c.date_added < before))


def take_orphans(connection: Connection, before: datetime, most: int) -> list[str]:
    """Delete rows of contents that nothing names any longer; the places of their files."""
    free = sa.and_(
        ~sa.select(chunks.c.blob_id).where(chunks.c.blob_id == blobs.c.id).exists(),
        ~sa.select(artifacts.c.id).where(artifacts.c.blob_id == blobs.c.id).exists(),
    )
    some = sa.select(blobs.c.id).where(blobs.c.date_added < before, free).limit(most)
    return list(connection.execute(sa.delete(blobs).where(blobs.c.id.in_(some)).returning(blobs.c.place)).scalars())


def unknown_places(connection: Connection, places: Sequence[str]) -> list[str]:
    known: set[str] = set()
    for some in portions([place.partition("/")[2].partition(".")[0] for place in places]):
        known |= set(connection.execute(sa.select(blobs.c.place).where(blobs.c.sha256.in_(some))).scalars())
    return [place for place in places if place not in known]


def portions(values: Sequence[Any]) -> Iterator[Sequence[Any]]:
    for start in range(0, len(values), _CHUNK):
        yield values[start : start + _CHUNK]

"""What uploads do: keep chunks, assemble bundles of them, keep single files. One transaction each; a refusal leaves nothing."""

from __future__ import annotations

import gzip
import uuid
import zlib
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import IO

from sqlalchemy.engine import Connection, RowMapping

from releases.artifacts.archives import Archive, BadArchive, Entry
from releases.artifacts.blobs import PIECE, Blobs, Content, Full, Readable, TooLarge, full_disks
from releases.errors import BUSY, Refused
from releases.http.request import Call, server, write
from releases.store import artifacts as store
from releases.store import blobs as blob_store
from releases.store.artifacts import NewArtifact
from shared.errors import TagshipError

OK, NOT_FOUND, ERROR = "ok", "not_found", "error"


class BadUpload(TagshipError):
    """An upload that is refused as a whole; the message says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """A file of a form. `name`: the SHA-1 that its content is said to have."""

    name: str
    stream: IO[bytes]
    is_packed: bool  # gzip


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """A bundle to be assembled of chunks. With `release` its files become that release's; else it is for the projects."""

    checksum: str
    chunks: tuple[str, ...]
    version: str | None
    dist: str = ""
    project_ids: Collection[int] = ()
    release: RowMapping | None = None


@dataclass(frozen=True, slots=True)
class State:
    """How far a bundle is. `missing`: chunks that have to be sent first."""

    state: str
    detail: str | None = None
    missing: tuple[str, ...] = ()


class _Keeping:
    """Contents that are taken before their rows are written."""

    def __init__(self, blobs: Blobs) -> None:
        self._blobs = blobs
        self._taken: list[Content] = []
        self._used: set[str] = set()
        self._is_written = False

    def take(self, source: Readable, *, most: int) -> Content:
        """Raises TooLarge, Full."""
        self._taken.append(self._blobs.take(source, most=most))
        return self._taken[-1]

    def row(self, connection: Connection, content: Content, now: datetime) -> int:
        """The id of the content's row."""
        self._is_written = True
        number, is_kept = blob_store.ensure_blob(connection, content, now)
        if is_kept:
            self._used.add(content.place)
        return number

    def drop_unused(self) -> None:
        self._blobs.drop(*(content.place for content in self._taken if content.place not in self._used))

    def drop_unwritten(self, problem: BaseException) -> None:
        """After a failure. If rows may have been written for all that is known, the sweep finds out which files they name."""
        is_in_doubt = not isinstance(problem, Refused) or problem.status == BUSY
        if not (self._is_written and is_in_doubt):
            self._blobs.drop(*(content.place for content in self._taken))


@contextmanager
def _keeping(blobs: Blobs) -> Iterator[_Keeping]:
    kept = _Keeping(blobs)
    try:
        yield kept
    except BaseException as problem:
        kept.drop_unwritten(problem)
        raise
    kept.drop_unused()


class _Bounded:
    """A source of which only so much is read."""

    def __init__(self, source: Readable, most: int) -> None:
        self._source, self._left = source, most

    def read(self, size: int = PIECE, /) -> bytes:
        piece = self._source.read(size)
        self._left -= len(piece)
        if self._left < 0:
            raise BadUpload("Request too large")
        return piece


def keep_chunks(blobs: Blobs, call: Call, parts: Sequence[Part]) -> None:
    """All of them or none. Raises BadUpload, Full."""
    bounds = blobs.bounds
    if len(parts) > bounds.chunks:
        raise BadUpload("Too many chunks")
    blobs.require_room(_used(), min(len(parts) * bounds.chunk, bounds.request))
    left = bounds.request
    with _keeping(blobs) as kept:
        contents = []
        for part in parts:
            contents.append(_take_chunk(kept, part, bounds.chunk, left))
            left -= contents[-1].size
            if contents[-1].sha1 != part.name:
                raise BadUpload("Checksum mismatch")
        contents.sort(key=lambda content: content.sha256)  # so that two requests cannot wait for each other

        def work(connection: Connection) -> None:
            for content in contents:
                number = kept.row(connection, content, call.now)
                blob_store.own_chunk(connection, call.organization.id, content.sha1, number, call.now)

        write(work)


def _take_chunk(kept: _Keeping, part: Part, most: int, left: int) -> Content:
    try:
        if not part.is_packed:
            return kept.take(_Bounded(part.stream, left), most=most)
        with gzip.GzipFile(fileobj=part.stream, mode="rb") as unpacked:
            return kept.take(_Bounded(unpacked, left), most=most)
    except TooLarge as problem:
        raise BadUpload("Chunk size too large") from problem
    except (gzip.BadGzipFile, EOFError, zlib.error) as problem:
        raise BadUpload("Invalid gzip content") from problem


def assemble(blobs: Blobs, call: Call, wanted: Wanted) -> State:
    """Put the chunks together and keep the files in them. The same again changes nothing."""
    with server().reader.begin() as connection:
        known = None if wanted.release else store.find_bundle(connection, call.organization.id, wanted.checksum)
        owned = blob_store.find_chunks(connection, call.organization.id, wanted.chunks)
    if known is not None:
        write(lambda connection: _link(connection, call, known["id"], wanted))
        return State(OK)
    missing = tuple(one for one in dict.fromkeys(wanted.chunks) if one not in owned)
    if missing or not wanted.chunks:
        return State(NOT_FOUND, missing=missing)
    try:
        with full_disks(), blobs.temporary() as file:  # to close it may write what is left
            _join(blobs, file, [owned[one] for one in wanted.chunks], wanted.checksum)
            archive = Archive(file, blobs.bounds)
            _check_manifest(archive, call, wanted)
            _keep_entries(blobs, call, wanted, archive)
    except (BadArchive, BadUpload, TooLarge, Full) as problem:
        return State(ERROR, str(problem))
    except FileNotFoundError:  # swept away since it was looked up
        return State(NOT_FOUND, missing=tuple(dict.fromkeys(wanted.chunks)))
    return State(OK)


def _join(blobs: Blobs, file: IO[bytes], chunks: Sequence[RowMapping], checksum: str) -> None:
    """Raises BadUpload, Full."""
    if sum(chunk["size"] for chunk in chunks) > blobs.bounds.file:
        raise BadUpload("File exceeds maximum size")
    if blobs.join(file, [chunk["place"] for chunk in chunks]) != checksum:
        raise BadUpload("Reported checksum mismatch")


def _check_manifest(archive: Archive, call: Call, wanted: Wanted) -> None:
    """A release bundle says whose it is. Raises BadUpload."""
    manifest = archive.manifest
    if wanted.release is None:
        return
    if manifest.organization != call.organization.slug:
        raise BadUpload("organization does not match uploaded bundle")
    if manifest.release != wanted.version:
        raise BadUpload("release does not match uploaded bundle")


def _keep_entries(blobs: Blobs, call: Call, wanted: Wanted, archive: Archive) -> None:
    """Raises BadArchive, BadUpload, TooLarge, Full."""
    manifest = archive.manifest
    size = sum(entry.size for entry in manifest.entries)
    blobs.require_room(_used(), size)
    with server().reader.begin() as connection:
        check_room(connection, blobs, call, wanted.version, wanted.release, len(manifest.entries), size)
    with _keeping(blobs) as kept:
        taken: list[tuple[Entry, Content]] = []
        for entry in manifest.entries:
            with archive.open(entry) as content:
                taken.append((entry, kept.take(content, most=entry.size)))
        taken.sort(key=lambda pair: pair[1].sha256)
        dist = (manifest.dist or "") if wanted.release else wanted.dist

        def work(connection: Connection) -> None:
            bundle_id = None
            if wanted.release is None:
                bundle_id = store.create_bundle(connection, _bundle_row(call, wanted, archive, size))
                if bundle_id is None:  # another request was quicker
                    known = store.find_bundle(connection, call.organization.id, wanted.checksum)
                    if known is not None:
                        _link(connection, call, known["id"], wanted)
                    return
                _link(connection, call, bundle_id, wanted)
            rows = {}
            for entry, content in taken:
                one = _artifact(entry, dist, kept.row(connection, content, call.now))
                rows[entry.url if bundle_id is None else entry.path] = one
            release_id = wanted.release["id"] if wanted.release else None
            store.add(connection, list(rows.values()), call.now, release_id=release_id, bundle_id=bundle_id)

        write(work)


def _bundle_row(call: Call, wanted: Wanted, archive: Archive, size: int) -> dict[str, object]:
    manifest = archive.manifest
    return {
        "organization_id": call.organization.id,
        "checksum": wanted.checksum,
        "bundle_id": manifest.bundle_id or str(uuid.uuid5(uuid.NAMESPACE_OID, wanted.checksum)),
        "file_count": len(manifest.entries),
        "size": size,
        "date_added": call.now,
        "date_modified": call.now,
    }


def _artifact(entry: Entry, dist: str, blob_id: int) -> NewArtifact:
    return NewArtifact(
        name=entry.url,
        dist=dist,
        path=entry.path,
        kind=entry.kind,
        debug_id=entry.debug_id,
        headers=entry.headers,
        blob_id=blob_id,
    )


def _link(connection: Connection, call: Call, bundle_id: int, wanted: Wanted) -> None:
    store.link_bundle(connection, call.organization.id, bundle_id, wanted.project_ids, wanted.version, wanted.dist)


def keep_file(
    blobs: Blobs, call: Call, release: RowMapping, name: str, dist: str, headers: Mapping[str, str], stream: IO[bytes]
) -> RowMapping | None:
    """A single file of a release; None where there is one of that name and dist. Raises BadUpload, TooLarge, Full."""
    blobs.require_room(_used(), blobs.bounds.request)
    with _keeping(blobs) as kept:
        content = kept.take(stream, most=blobs.bounds.request)

        def work(connection: Connection) -> RowMapping | None:
            check_room(connection, blobs, call, release["version"], release, 1, content.size)
            if store.has_file(connection, release["id"], name, dist):
                return None
            number = kept.row(connection, content, call.now)
            one = NewArtifact(name=name, dist=dist, path="", kind="", debug_id=None, headers=headers, blob_id=number)
            store.add(connection, [one], call.now, release_id=release["id"])
            return store.find_named(connection, release["id"], name, dist)

        return write(work)


def check_room(
    connection: Connection, blobs: Blobs, call: Call, version: str | None, release: RowMapping | None, count: int, size: int
) -> None:
    """Raises BadUpload where a release would have too many files, or too large ones."""
    files = held = 0
    if version is not None:
        release_id = release["id"] if release else None
        files, held = store.totals(connection, call.organization.id, version, release_id)
    if files + count > blobs.bounds.files:
        raise BadUpload(f"A release may have {blobs.bounds.files} files; this one has {files}")
    if held + size > blobs.bounds.release:
        raise BadUpload(f"The files of a release may have {blobs.bounds.release} bytes; these have {held}")


def _used() -> int:
    with server().reader.begin() as connection:
        return blob_store.used(connection)

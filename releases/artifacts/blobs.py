"""Contents on disk. A file is complete once it has its name; the database row that names it is written afterwards."""

from __future__ import annotations

import errno
import hashlib
import os
import secrets
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Protocol

from releases.artifacts.bounds import Bounds
from shared.errors import TagshipError

PIECE = 2**18
TEMPORARY = "tmp"


class TooLarge(TagshipError):
    """A content exceeds what was allowed for it."""


class Full(TagshipError):
    """There is no room: the quota is used up, or the disk."""


@dataclass(frozen=True, slots=True)
class Content:
    """A complete file. `place`: its path below the folder, which no other file ever has."""

    sha1: str
    sha256: str
    size: int
    place: str


class Readable(Protocol):
    def read(self, size: int = ..., /) -> bytes: ...


class Blobs:
    """The folder of contents."""

    def __init__(self, folder: Path, bounds: Bounds) -> None:
        self._folder = folder
        self.bounds = bounds
        (folder / TEMPORARY).mkdir(parents=True, exist_ok=True)

    def take(self, source: Readable, *, most: int) -> Content:
        """Keep what `source` holds. Raises TooLarge, Full; nothing is left then."""
        sha1, sha256, size = hashlib.sha1(usedforsecurity=False), hashlib.sha256(), 0
        with full_disks():
            handle, name = tempfile.mkstemp(dir=self._folder / TEMPORARY)
            try:
                with os.fdopen(handle, "wb") as target:
                    while piece := source.read(PIECE):
                        size += len(piece)
                        if size > most:
                            raise TooLarge(f"more than {most} bytes")
                        sha1.update(piece)
                        sha256.update(piece)
                        target.write(piece)
                    target.flush()
                    os.fsync(target.fileno())
                place = f"{sha256.hexdigest()[:2]}/{sha256.hexdigest()}.{secrets.token_hex(4)}"
                path = self._folder / place
                path.parent.mkdir(exist_ok=True)
                Path(name).rename(path)
            except BaseException:
                Path(name).unlink(missing_ok=True)
                raise
        return Content(sha1.hexdigest(), sha256.hexdigest(), size, place)

    def join(self, target: IO[bytes], places: list[str]) -> str:
        """Write these contents one after the other; the SHA-1 of the whole. Raises OSError, Full."""
        sha1 = hashlib.sha1(usedforsecurity=False)
        with full_disks():
            for place in places:
                with self.open(place) as source:
                    while piece := source.read(PIECE):
                        sha1.update(piece)
                        target.write(piece)
            target.flush()
        return sha1.hexdigest()

    def open(self, place: str) -> IO[bytes]:
        """Raises OSError where the file is gone."""
        return (self._folder / place).open("rb")

    def drop(self, *places: str) -> None:
        for place in places:
            (self._folder / place).unlink(missing_ok=True)

    def temporary(self) -> IO[bytes]:
        """A file without a name, gone when it is closed."""
        return tempfile.TemporaryFile(dir=self._folder / TEMPORARY)

    def require_room(self, used: int, size: int) -> None:
        """Raises Full unless `size` more bytes may be kept beside the `used` ones."""
        if used + size > self.bounds.quota:
            raise Full(f"the quota of {self.bounds.quota} bytes for artifacts is used up")
        if shutil.disk_usage(self._folder).free - size < self.bounds.free:
            raise Full(f"the disk must keep {self.bounds.free} bytes free")

    def old_files(self, seconds: float) -> Iterator[str]:
        """Places of files that were written longer ago; unfinished ones of that age are removed on the way."""
        before = time.time() - seconds
        for path in self._folder.glob("*/*"):
            try:
                if path.stat().st_mtime >= before:
                    continue
                if path.parent.name == TEMPORARY:
                    path.unlink(missing_ok=True)
                else:
                    yield f"{path.parent.name}/{path.name}"
            except FileNotFoundError:
                continue


@contextmanager
def full_disks() -> Iterator[None]:
    """Raises Full in place of what the system says of a full disk."""
    try:
        yield
    except OSError as problem:
        if is_full(problem):
            raise Full("the disk is full") from problem
        raise


def is_full(problem: OSError) -> bool:
    """Whether a disk or its quota is what is used up."""
    return problem.errno in (errno.ENOSPC, errno.EDQUOT)

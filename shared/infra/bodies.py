"""Bodies of requests and answers that may be too large for memory. Knows no protocol."""

from __future__ import annotations

import mmap
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from typing import IO

_HEAP = 256 * 1024
_MAP = 2 * 1024 * 1024


class FileBody:
    """PEP 3333's `wsgi.file_wrapper`: an answer that is a file, sent in pieces."""

    def __init__(self, file: IO[bytes], size: int = 2**18) -> None:
        self._file = file
        self._size = size

    def __iter__(self) -> Iterator[bytes]:
        return iter(self.read, b"")

    def read(self) -> bytes:
        return self._file.read(self._size)

    def close(self) -> None:
        self._file.close()


class Arrived:
    """What has arrived of a body: in memory up to `above` bytes (None: all of it), else in a file in `folder`.

    `held`: how much of it is in memory. What grows large there is kept in maps of its own, outside of the heap: pieces of many
    bodies that grow side by side would leave a heap that is full of holes, and never given back.
    """

    __slots__ = ("_above", "_chunks", "_folder", "_maps", "file", "held", "size")

    def __init__(self, above: int | None, folder: str | None) -> None:
        self._above, self._folder = above, folder
        self._chunks: list[bytes] = []
        self._maps: list[mmap.mmap] = []
        self.file: IO[bytes] | None = None
        self.size = self.held = 0

    def add(self, chunk: bytes) -> None:
        """Raises OSError where a file or the memory cannot take it."""
        self.size += len(chunk)
        if self.file is None and (self._above is None or self.size <= self._above):
            self.held = self.size
            if self.size <= _HEAP:
                self._chunks.append(chunk)
            else:
                self._map(chunk)
            return
        if self.file is None:
            self.file = tempfile.TemporaryFile(dir=self._folder)  # noqa: SIM115  closed by `close`
            self.file.write(self._taken())
            self.held = 0
        self.file.write(chunk)

    def _map(self, chunk: bytes) -> None:
        if not self._maps:
            self._chunks.append(chunk)
            chunk, self._chunks = b"".join(self._chunks), []
            self._maps.append(mmap.mmap(-1, _MAP))
        rest = memoryview(chunk)
        while rest:
            if not (room := _MAP - self._maps[-1].tell()):
                self._maps.append(mmap.mmap(-1, _MAP))
                room = _MAP
            rest = rest[self._maps[-1].write(rest[:room]) :]

    def finish(self) -> bytes | IO[bytes]:
        """The whole body, of which nothing is kept here."""
        if self.file is not None:
            self.file.seek(0)
            return self.file
        return self._taken()

    def _taken(self) -> bytes:
        if not self._maps:
            chunks, self._chunks = self._chunks, []
            return chunks[0] if len(chunks) == 1 else b"".join(chunks)
        views = [memoryview(each)[: each.tell()] for each in self._maps]
        body = b"".join(views)
        for view in views:
            view.release()
        self._drop()
        return body

    def _drop(self) -> None:
        self._chunks = []
        for each in self._maps:
            each.close()
        self._maps = []

    def close(self) -> None:
        """Let go of all of it."""
        if self._maps or self._chunks:
            self._drop()
        if self.file is not None:
            with suppress(OSError):  # what a full disk did not take, it does not take now, either
                self.file.close()

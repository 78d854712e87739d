"""Bodies of requests and answers that may be too large for memory. Knows no protocol."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import suppress
from typing import IO


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

    `held`: how much of it is in memory.
    """

    __slots__ = ("_above", "_chunks", "_folder", "file", "held", "size")

    def __init__(self, above: int | None, folder: str | None) -> None:
        self._above, self._folder = above, folder
        self._chunks: list[bytes] = []
        self.file: IO[bytes] | None = None
        self.size = self.held = 0

    def add(self, chunk: bytes) -> None:
        """Raises OSError where a file cannot take it."""
        self.size += len(chunk)
        if self.file is None and (self._above is None or self.size <= self._above):
            self._chunks.append(chunk)
            self.held += len(chunk)
            return
        if self.file is None:
            self.file = tempfile.TemporaryFile(dir=self._folder)  # noqa: SIM115  closed by `close`
            self.file.writelines(self._chunks)
            self._chunks.clear()
            self.held = 0
        self.file.write(chunk)

    def finish(self) -> bytes | IO[bytes]:
        if self.file is not None:
            self.file.seek(0)
            return self.file
        return self._chunks[0] if len(self._chunks) == 1 else b"".join(self._chunks)

    def close(self) -> None:
        if self.file is not None:
            with suppress(OSError):  # what a full disk did not take, it does not take now, either
                self.file.close()

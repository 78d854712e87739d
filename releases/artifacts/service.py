"""What the routes need of this package; one per app that takes uploads."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from typing import IO, Any, cast

from flask import Request, current_app

from releases.artifacts.blobs import Blobs
from releases.artifacts.sweep import Sweeper

KEY = "artifacts"


@dataclass(frozen=True, slots=True)
class Artifacts:
    blobs: Blobs
    sweeper: Sweeper


def service() -> Artifacts:
    return cast("Artifacts", current_app.extensions[KEY])


def is_on() -> bool:
    return KEY in current_app.extensions


class SpoolingRequest(Request):
    """Files of a form are written into the folder of artifacts while they are read: never all of them into memory."""

    def __init__(self, *arguments: Any, **more: Any) -> None:
        super().__init__(*arguments, **more)
        self._spooled: list[IO[bytes]] = []

    def close(self) -> None:
        """Also the files of a form whose reading a fault has ended."""
        super().close()
        for file in self._spooled:
            with suppress(OSError):  # what could not be written cannot be written now, either
                file.close()

    def _get_file_stream(
        self,
        total_content_length: int | None,
        content_type: str | None,
        filename: str | None = None,
        content_length: int | None = None,
    ) -> IO[bytes]:
        self._spooled.append(service().blobs.temporary())
        return self._spooled[-1]

"""How much of everything an upload may be, and the settings that change it. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from shared.config.settings import Settings
from shared.errors import SettingsError

DIRECTORY = "RELEASES_ARTIFACTS_DIR"
QUOTA = "RELEASES_ARTIFACTS_QUOTA"
_SIZE = re.compile(r"(\d{1,12})([KMGT]?)", re.IGNORECASE)
_UNITS = {"": 1, "K": 2**10, "M": 2**20, "G": 2**30, "T": 2**40}
_DEFAULT_QUOTA = 10 * 2**30


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """Sizes in bytes. What is announced to clients: chunk, chunks, request, file."""

    chunk: int = 8 * 2**20
    chunks: int = 64  # in one request
    request: int = 32 * 2**20  # contents of one request, unpacked
    file: int = 2**29  # a bundle, packed
    unpacked: int = 2**30  # what one bundle holds
    files: int = 20_000  # of one release
    release: int = 2 * 2**30
    quota: int = _DEFAULT_QUOTA  # of all that is kept
    free: int = 2**29  # left on the disk for others


def read_settings(settings: Settings) -> tuple[Path, Bounds] | None:
    """Where artifacts are kept and how much; None where the quota is 0: no uploads. Raises SettingsError."""
    word = settings.environ.get(QUOTA, str(_DEFAULT_QUOTA))
    match = _SIZE.fullmatch(word.strip())
    if match is None:
        raise SettingsError([f"{QUOTA} must be a size such as 500M or 10G, not {word!r}"])
    quota = int(match[1]) * _UNITS[match[2].upper()]
    folder = Path(settings.environ.get(DIRECTORY) or settings.data_dir / "artifacts")
    return (folder, Bounds(quota=quota)) if quota else None

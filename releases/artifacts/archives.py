"""Reads bundles as clients pack them: ZIP files with a manifest. All of it is hostile, and bounded before it is unpacked."""

from __future__ import annotations

import json
import stat
import uuid
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import IO, Any

from releases.artifacts.bounds import Bounds
from shared.errors import TagshipError

MANIFEST = "manifest.json"
LONGEST_NAME = 1_024
_LONGEST_MANIFEST = 16 * 2**20
_LONGEST_DIRECTORY = 16 * 2**20  # of the archive itself, which is read as a whole
_END, _END_64, _END_SIZE, _LOCATOR_SIZE = b"PK\x05\x06", b"PK\x06\x07", 22, 20
_MOST_HEADERS, _LONGEST_HEADER = 50, 2_048
_ENCRYPTED = 1
_KINDS = ("source", "minified_source", "source_map", "indexed_ram_bundle")


class BadArchive(TagshipError):
    """The bundle is refused; the message says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """A file of the manifest: its path in the archive, the address it is known by, and what was sent about it."""

    path: str
    url: str
    kind: str
    headers: dict[str, str]
    debug_id: str | None
    size: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """What a bundle says about itself; None: not said."""

    organization: str | None
    release: str | None
    dist: str | None
    bundle_id: str | None
    entries: tuple[Entry, ...]


class Archive:
    """An opened bundle. Raises BadArchive from every method."""

    def __init__(self, file: IO[bytes], bounds: Bounds) -> None:
        _check_directory(file, bounds)
        with _refusing():
            self._zip = zipfile.ZipFile(file)
            self._infos = _check_entries(self._zip.infolist(), bounds)
        self.manifest = _read_manifest(self._load_manifest(), self._infos)

    def _load_manifest(self) -> object:
        info = self._infos.get(MANIFEST)
        if info is None or info.file_size > _LONGEST_MANIFEST:
            raise BadArchive("the bundle has no manifest of at most 16 MiB")
        try:
            with _refusing():
                return json.loads(self._zip.read(info))
        except (ValueError, RecursionError) as problem:
            raise BadArchive("the manifest is not JSON") from problem

    @contextmanager
    def open(self, entry: Entry) -> Iterator[IO[bytes]]:
        """The unpacked content, no more than was announced; a wrong checksum is refused at its end."""
        with _refusing(), self._zip.open(self._infos[entry.path]) as content:
            yield content


@contextmanager
def _refusing() -> Iterator[None]:
    try:
        yield
    except (zipfile.BadZipFile, zlib.error, NotImplementedError, EOFError, RuntimeError, UnicodeDecodeError) as problem:
        raise BadArchive("the bundle is invalid") from problem


def _check_directory(file: IO[bytes], bounds: Bounds) -> None:
    """The number and size of entries are announced at the end of a ZIP file; they are read before all entries are."""
    size = file.seek(0, 2)
    start = file.seek(max(size - _END_SIZE - 2**16 - _LOCATOR_SIZE, 0))
    tail = file.read()
    place = len(tail) - _END_SIZE
    if place < 0 or tail[place : place + 4] != _END or tail[-2:] != b"\0\0":
        place = tail.rfind(_END)
    if place < 0 or len(tail) < place + _END_SIZE:
        raise BadArchive("the bundle is no ZIP archive")
    if start + place >= _LOCATOR_SIZE and tail[max(place - _LOCATOR_SIZE, 0) :].startswith(_END_64):
        raise BadArchive("the bundle is a 64-bit ZIP archive")
    entries = int.from_bytes(tail[place + 10 : place + 12], "little")
    directory = int.from_bytes(tail[place + 12 : place + 16], "little")
    if entries > bounds.files + 1:
        raise BadArchive(f"the bundle holds more than {bounds.files} files")
    if directory > _LONGEST_DIRECTORY:
        raise BadArchive("the directory of the bundle is too long")
    file.seek(0)


def _check_entries(infos: list[zipfile.ZipInfo], bounds: Bounds) -> dict[str, zipfile.ZipInfo]:
    found: dict[str, zipfile.ZipInfo] = {}
    for info in infos:
        name = info.filename
        if info.orig_filename != name or name.startswith("/") or "\\" in name or ".." in name.split("/") or ":" in name[:2]:
            raise BadArchive(f"the bundle holds a path that leads out of it: {_short(name)}")
        if name in found:
            raise BadArchive(f"the bundle holds {_short(name)} twice")
        mode = info.external_attr >> 16
        if stat.S_IFMT(mode) not in (0, stat.S_IFREG, stat.S_IFDIR):
            raise BadArchive(f"the bundle holds {_short(name)}, which is no regular file")
        if info.flag_bits & _ENCRYPTED or info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            raise BadArchive(f"the bundle holds {_short(name)}, which is packed in an unknown way")
        found[name] = info
    if len(found) > bounds.files + 1:
        raise BadArchive(f"the bundle holds more than {bounds.files} files")
    if sum(info.file_size for info in infos) > bounds.unpacked:
        raise BadArchive(f"the bundle holds more than {bounds.unpacked} bytes")
    return found


def _read_manifest(data: object, infos: dict[str, zipfile.ZipInfo]) -> Manifest:
    if not isinstance(data, dict) or not isinstance(data.get("files", {}), dict):
        raise BadArchive("the manifest must be an object with `files`")
    return Manifest(
        organization=_text(data, "org"),
        release=_text(data, "release"),
        dist=_text(data, "dist"),
        bundle_id=normal_id(data.get("debug_id")),
        entries=tuple(_read_entry(path, about, infos) for path, about in data.get("files", {}).items()),
    )


def _read_entry(path: str, about: object, infos: dict[str, zipfile.ZipInfo]) -> Entry:
    info = infos.get(path)
    if info is None or info.is_dir():
        raise BadArchive(f"the manifest names {_short(path)}, which the bundle does not hold")
    if not isinstance(about, dict):
        raise BadArchive(f"the manifest says nothing about {_short(path)}")
    kind = about.get("type")
    headers = _headers(about.get("headers") or {}, path)
    names = {name.lower(): value for name, value in headers.items()}
    return Entry(
        path=path,
        url=_text(about, "url") or path,
        kind=kind if isinstance(kind, str) and kind in _KINDS else "",
        headers=headers,
        debug_id=normal_id(names.get("debug-id")),
        size=info.file_size,
    )


def _headers(found: object, path: str) -> dict[str, str]:
    if not isinstance(found, dict) or len(found) > _MOST_HEADERS:
        raise BadArchive(f"the headers of {_short(path)} must be an object of at most {_MOST_HEADERS}")
    for name, value in found.items():
        if not isinstance(value, str) or max(len(name), len(value)) > _LONGEST_HEADER or not is_plain(name + value):
            raise BadArchive(f"the headers of {_short(path)} must be texts of at most {_LONGEST_HEADER} characters")
    return found


def _text(data: dict[str, Any], key: str) -> str | None:
    value = data.get(key)
    if value is None:
        return None
    if not isinstance(value, str) or len(value) > LONGEST_NAME or not is_plain(value):
        raise BadArchive(f"`{key}` of the manifest must be a text of at most {LONGEST_NAME} characters")
    return value


def is_plain(text: str) -> bool:
    """Without control characters and lone surrogates: what a database and a header can hold."""
    return text.isprintable() or not any(ord(one) < 32 or ord(one) == 127 or "\ud800" <= one <= "\udfff" for one in text)


def normal_id(value: object) -> str | None:
    """A UUID in its usual spelling; None for what is none."""
    try:
        return str(uuid.UUID(value)) if isinstance(value, str) else None
    except ValueError:
        return None


def _short(text: str) -> str:
    return repr(text[:100])

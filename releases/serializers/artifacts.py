"""Release files and bundles as the API shows them. Reads nothing."""

from __future__ import annotations

import base64
from collections.abc import Sequence

from sqlalchemy.engine import RowMapping

from releases.serializers.commits import Json
from releases.validation.times import render_time

_KINDS = {"source": 1, "minified_source": 2, "source_map": 3, "indexed_ram_bundle": 4}


def render_file(row: RowMapping) -> Json:
    """From a row of `store.artifacts`."""
    return {
        "id": str(row["id"]),
        "name": row["name"],
        "dist": row["dist"] or None,
        "headers": row["headers"],
        "size": row["size"],
        "sha1": row["sha1"],
        "dateCreated": render_time(row["date_added"]),
    }


def render_archive(row: RowMapping) -> Json:
    """A release as the older list of uploads has it; -1: none of its files were uploaded one by one or by a release bundle."""
    shown = {"type": "release", "id": row["id"], "name": row["version"], "date": render_time(row["date_added"])}
    return {**shown, "fileCount": row["files"] or -1}


def render_bundle(row: RowMapping, releases: Sequence[RowMapping]) -> Json:
    return {
        "bundleId": row["bundle_id"],
        "associations": _associations(releases),
        "fileCount": row["file_count"],
        "dateModified": row["date_modified"].strftime("%Y-%m-%dT%H:%M:%SZ"),
        "date": row["date_added"].strftime("%Y-%m-%dT%H:%M:%SZ"),
    }


def render_bundle_files(row: RowMapping, releases: Sequence[RowMapping], files: Sequence[RowMapping]) -> Json:
    return {
        "bundleId": row["bundle_id"],
        "associations": _associations(releases),
        "files": [
            {
                "id": base64.urlsafe_b64encode(file["path"].encode()).decode(),
                "fileType": _KINDS.get(file["kind"], 0),
                "filePath": file["name"],
                "fileSize": file["size"],
                "debugId": file["debug_id"],
            }
            for file in files
        ],
    }


def _associations(releases: Sequence[RowMapping]) -> list[Json]:
    return [{"release": one["version"], "dist": one["dist"] or None} for one in releases]

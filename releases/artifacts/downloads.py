"""Contents given back as they were sent."""

from __future__ import annotations

from flask import Response, send_file
from sqlalchemy.engine import RowMapping

from releases.artifacts.service import service
from releases.errors import missing


def download(row: RowMapping) -> Response:
    """The content byte for byte, to be saved and never shown. Raises Refused (404)."""
    try:
        file = service().blobs.open(row["place"])
    except OSError:
        raise missing() from None
    name = " ".join((row["name"].rpartition("/")[2] or row["path"] or "file").split())
    response = send_file(
        file,
        mimetype="application/octet-stream",
        as_attachment=True,
        download_name=name,
        conditional=False,
        etag=False,
        max_age=None,
    )
    response.content_length = row["size"]
    response.headers["Content-Security-Policy"] = "sandbox; default-src 'none'"
    return response

"""The filters and orders of the release list, from a query string to SQL. Never writes."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection
from werkzeug.datastructures import MultiDict

from releases import listing
from releases.door import Call
from releases.refusals import bad_request
from releases.tables import releases

Order = tuple[sa.ColumnElement[Any], ...]


def narrow(connection: Connection, call: Call, args: MultiDict[str, str]) -> tuple[sa.Select[Any] | None, Order | None]:
    """(query, order); order None is the usual one. Query None: nothing can match. Raises Refused (400, 404)."""
    query = listing.of_organization(call.organization.id)
    if call.caller.projects is not None:
        query = listing.within_projects(query, call.caller.projects)
    status = args.get("status", "open")
    if status not in ("open", "archived", ""):
        raise bad_request("invalid value for status")
    if status:
        query = query.where(releases.c.is_archived.is_(status == "archived"))
    if text := args.get("query", ""):
        query = query.where(releases.c.version.icontains(text, autoescape=True))
    return query, None

"""Which projects a request may look at: those of its credential, narrowed by what its query names. Writes nothing."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy.engine import Connection

from releases.errors import forbidden
from releases.tenancy import organizations
from releases.validation.requests import project_name

_EVERY = (-1, "$all")


def narrow(
    connection: Connection, organization_id: int, visible: frozenset[int] | None, named: Sequence[str]
) -> frozenset[int] | None:
    """The projects that `project` and `projectSlug` parameters name, by number or slug; None for every project.

    No name, -1 and `$all` mean all that are visible. Raises Refused (403) when one of the named is not visible or unknown.
    """
    wanted = [project_name(name) if name != "-1" else -1 for name in named if name]
    if not wanted or any(name in _EVERY for name in wanted):
        return visible
    found = organizations.find_projects(connection, organization_id, wanted)
    ids = frozenset(row["id"] for row in found.values())
    if len(found) < len(set(wanted)) or (visible is not None and not ids <= visible):
        raise forbidden()
    return ids
